"""The one resident every end-to-end test follows. In every ward she owes an ordinary-collection notice, pays its
first instalment late and is certified for care.

Her name, numbers and address occur nowhere else, so finding one of `search_terms()` outside the vault is
proof of a leak, and finding none where the notice must be is proof of a loss.
"""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Canary:
    """Her facts as the core system holds them; the last three must never be exported."""

    surname: str = "鳳凰堂"
    given_name: str = "金糸雀子"
    kana: str = "ホウオウドウ　カナリアコ"
    kana_half_width: str = "ﾎｳｵｳﾄﾞｳ ｶﾅﾘｱｺ"
    birth_date: date = date(1941, 11, 23)
    acquired_on: date = date(2006, 11, 22)
    insured_no: str = "8166042732"
    notice_no: str = "26019816604"
    household_no: str = "8166042001"
    recipient_id: str = "8166042002"
    postcode: str = "9999816"
    town: str = "金糸雀台"
    address: str = "架空区金糸雀台九丁目８７番６５号"
    address_detail: str = "鳳凰カナリア荘９８７号室"
    stage: int = 11
    individual_no: str = "999981660427"
    bank_account: str = "架空銀行 金糸雀台支店 普通 5309417"
    medical_remark: str = "金糸雀熱の既往(架空の病名)"

    def number_of(self, opening: str) -> str:
        """Her number among the notices that begin with year and run; `notice_no` is July's."""
        return opening + self.notice_no[len(opening) :]

    @property
    def name(self) -> str:
        """Surname and given name with the full-width space of the core system."""
        return f"{self.surname}　{self.given_name}"

    def search_terms(self) -> list[str]:
        """Strings that mean her and nobody else; each also finds the longer strings it is part of."""
        return [
            self.surname,
            self.given_name,
            *self.kana.split("　"),
            *self.kana_half_width.split(),
            self.town,
            self.address_detail,
            self.insured_no,
            self.notice_no,
            self.household_no,
            self.recipient_id,
            self.individual_no,
            self.bank_account,
            self.medical_remark,
        ]


CANARY = Canary()
