"""Which notices stand behind a difference: named in the vault and on the list, by count everywhere else."""

import json
from collections import Counter
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import ipc
from pypdf import PdfReader
from tests.builders import CYCLE, OPENED_AT, ACycle, a_cycle, a_digest, a_print_log

from notice_cycle import records as r
from notice_cycle.copies import copies_of
from notice_cycle.delivery.confirmation import DeliveryConfirmation
from notice_cycle.delivery.reconcile import verify_delivery
from notice_cycle.errors import Altered, Refused
from notice_cycle.exchange import messages as m
from notice_cycle.notice_reconciliation import (
    Difference,
    Dispatched,
    delivery_differences,
    posting_differences,
    pulled_numbers,
    read_dispatch,
    reconcile,
)
from notice_cycle.pullout import Pulled
from notice_cycle.report import report
from notice_cycle.settings import Settings
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import DIFFERENCE_LIST, DISPATCH_INDEX

LOTS = (
    r.PostalLot(lot_no=1, postal_class="区内特別", envelopes=2),
    r.PostalLot(lot_no=2, postal_class="一般", envelopes=3),
)
# Notices 1 and 2 share the first envelope; every other one has its own.
ENVELOPES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5}


def number(n: int) -> str:
    return f"{n:011d}"


def six(last: type[r.Record] = r.DeliveryRecord) -> ACycle:
    """Six notices in five envelopes of two lots, delivered."""
    quantities = {"persons": 6, "notices": 6, "envelopes": 5, "sheets": 6}
    return a_cycle(persons=6).up_to(last).with_(
        composition={"quantities": quantities, "lots": LOTS},
        delivery={"envelopes_delivered": 5, "sheets_printed": 6, "deliveries": lots(2, 3)},
    )  # fmt: skip


def write_index(vault: CycleVault, letters: int = 6) -> None:
    rows = [
        {
            "notice_no": number(n), "insured_no": f"{n:010d}", "envelope_no": envelope,
            "lot_no": 1 if envelope <= 2 else 2, "position_in_lot": 1,
        }
        for n, envelope in ENVELOPES.items()
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows[:letters])
    with vault.writing(DISPATCH_INDEX) as artefact, ipc.new_stream(artefact.buffer, table.schema) as stream:
        stream.write_table(table)


@pytest.fixture
def dispatched(vault: CycleVault) -> Dispatched:
    write_index(vault)
    return read_dispatch(vault, "insured_no", six()[r.CompositionRecord], Pulled())


def without(dispatched: Dispatched, *numbers: int, not_found: int = 0, **by_lot: int) -> Dispatched:
    """As if these notices had been pulled out: `lot1=1` envelopes less in lot 1."""
    lot = Counter({int(name.removeprefix("lot")): envelopes for name, envelopes in by_lot.items()})
    pulled = Pulled(requests=1, notices=len(numbers), envelopes=lot.total(), by_lot=lot, not_found=not_found)
    return replace(dispatched, pulled=pulled, numbers=frozenset(map(number, numbers)))


def lots(*envelopes: int, named: str = "ロット {}") -> tuple[r.LotDelivered, ...]:
    return tuple(
        r.LotDelivered(lot=named.format(n), envelopes=count) for n, count in enumerate(envelopes, start=1)
    )


def told(differences: list[Difference]) -> list[tuple[str, str, int, int, list[int]]]:
    return [(one.kind, one.lot, one.due, one.told, [int(n) for n in one.notices]) for one in differences]


class TestDelivered:
    def test_what_agrees_has_no_difference(self, dispatched: Dispatched) -> None:
        assert delivery_differences(dispatched, lots(2, 3)) == []
        assert delivery_differences(dispatched, lots(1, 4, named="A{}号車 10")) == [], "his own lots"
        assert delivery_differences(dispatched, lots(5, named="L{:02}")) == [], "his own, numbered like ours"

    def test_a_lot_delivered_short_is_looked_for_among_its_notices(self, dispatched: Dispatched) -> None:
        assert told(delivery_differences(dispatched, lots(1, 3))) == [("short", "1", 2, 1, [1, 2, 3])]

    def test_a_lot_that_was_not_delivered_is_named_whole(self, dispatched: Dispatched) -> None:
        assert told(delivery_differences(dispatched, lots(2))) == [("not_delivered", "2", 3, 0, [4, 5, 6])]

    def test_a_lot_told_twice_is_named(self, dispatched: Dispatched) -> None:
        twice = (*lots(2, 3), r.LotDelivered(lot="No.2", envelopes=3))
        assert told(delivery_differences(dispatched, twice)) == [("twice", "2", 3, 6, [4, 5, 6])]

    def test_more_than_a_lot_holds_is_named(self, dispatched: Dispatched) -> None:
        assert told(delivery_differences(dispatched, lots(2, 4))) == [("over", "2", 3, 4, [4, 5, 6])]

    def test_what_was_pulled_out_and_delivered_all_the_same_is_named(self, dispatched: Dispatched) -> None:
        pulled = without(dispatched, 4, lot2=1)
        assert told(delivery_differences(pulled, lots(2, 3))) == [("pulled_but_delivered", "2", 2, 3, [4])]
        assert told(delivery_differences(pulled, lots(2, 1))) == [("short", "2", 2, 1, [5, 6])]
        assert delivery_differences(pulled, lots(2, 2)) == []
        own = delivery_differences(pulled, lots(5, named="一括"))
        assert told(own) == [("pulled_but_delivered", "", 4, 5, [4])]

    def test_what_could_not_be_found_may_be_delivered(self, dispatched: Dispatched) -> None:
        pulled = without(dispatched, 4, lot2=1, not_found=1)
        assert delivery_differences(pulled, lots(2, 3)) == delivery_differences(pulled, lots(2, 2)) == []

    def test_lots_divided_otherwise_are_told_by_count_only(self, dispatched: Dispatched) -> None:
        assert told(delivery_differences(dispatched, lots(3, 2))) == [
            ("split", "1", 2, 3, []),
            ("split", "2", 3, 2, []),
        ]

    @pytest.mark.parametrize(("envelopes", "kind"), [(4, "short"), (6, "over")])
    def test_a_contractors_own_lots_do_not_say_which(
        self, dispatched: Dispatched, envelopes: int, kind: str
    ) -> None:
        for named in ("一括", "L{:02}"):
            assert told(delivery_differences(dispatched, lots(envelopes, named=named))) == [
                (kind, "", 5, envelopes, [])
            ]


def test_what_was_delivered_and_not_posted_is_named(dispatched: Dispatched) -> None:
    assert posting_differences(dispatched, lots(2, 3), lots(2, 3), Pulled()) == []
    assert told(posting_differences(dispatched, lots(2, 3), lots(2, 1), Pulled())) == [
        ("not_posted", "ロット2", 3, 1, [4, 5, 6])
    ]
    own = lots(5, named="L{:02}")
    assert told(posting_differences(dispatched, own, (), Pulled())) == [("not_posted", "L01", 5, 0, [])]


def test_what_was_taken_out_after_the_delivery_is_not_missed_at_the_posting(dispatched: Dispatched) -> None:
    out, left = Pulled(requests=1, envelopes=1, by_lot=Counter({2: 1})), dispatched.without([number(5)])
    assert posting_differences(left, lots(2, 3), lots(2, 2), out) == []
    assert told(posting_differences(left, lots(2, 3), lots(2, 1), out)) == [
        ("not_posted", "ロット2", 2, 1, [4, 6])
    ]
    assert told(posting_differences(left, lots(2, 3), lots(1, 2), out)) == [
        ("not_posted", "ロット1", 2, 1, [1, 2, 3])
    ]
    own = lots(5, named="L{:02}")
    assert posting_differences(left, own, lots(4, named="L{:02}"), out) == []
    assert told(posting_differences(left, own, lots(3, named="L{:02}"), out)) == [
        ("not_posted", "L01", 5, 3, [])
    ]


def test_an_index_that_is_not_the_compositions_is_refused(vault: CycleVault) -> None:
    write_index(vault)
    fewer = (*LOTS[:1], LOTS[1].model_copy(update={"envelopes": 2}))
    for wrong in ({"lots": fewer}, {"quantities": a_cycle(persons=7)[r.CompositionRecord].quantities}):
        with pytest.raises(Altered, match="索引が、印字データ作成の記録と一致しません"):
            read_dispatch(vault, "insured_no", six().with_(composition=wrong)[r.CompositionRecord], Pulled())


@pytest.mark.parametrize("charset", ["cp932", "utf-8"])
def test_the_numbers_of_a_pull_out_list_are_read_from_the_vault(vault: CycleVault, charset: str) -> None:
    with vault.writing("pullout-1.csv") as artefact:
        listed = '"ロット","通知書番号"\r\n"2","00000000004"\r\n"2","00000000005"\r\n'
        artefact.buffer.write(listed.encode(charset))
    assert pulled_numbers(vault, ["pullout-1.csv"]) == {number(4), number(5)}


class TestList:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return Settings({"NOTICE_CYCLE_PRINT_TRAY": str(tmp_path / "tray")})

    def reconciled(
        self, dispatched: Dispatched, vault: CycleVault, settings: Settings, cycle: ACycle, *envelopes: int
    ) -> r.NoticesReconciled:
        return reconcile(
            dispatched,
            delivery_differences(dispatched, lots(*envelopes)),
            cycle.history(),
            vault,
            settings,
            against="納品",
            told_sha256=a_digest(envelopes),
            cycle=CYCLE,
            at=OPENED_AT,
        )

    def test_numbers_are_on_the_list_and_in_the_vault_and_nowhere_else(
        self, dispatched: Dispatched, vault: CycleVault, settings: Settings, tmp_path: Path
    ) -> None:
        fact = self.reconciled(dispatched, vault, settings, six(), 2)
        assert fact.list_number == f"{CYCLE}-RL1"
        (paper,) = (tmp_path / "tray").iterdir()
        text = "".join(page.extract_text() for page in PdfReader(BytesIO(paper.read_bytes())).pages)
        assert all(number(n) in text for n in (4, 5, 6)) and number(1) not in text
        with vault.reading(DIFFERENCE_LIST) as kept:
            assert json.load(kept)[0]["notices"] == [number(n) for n in (4, 5, 6)]
        assert not any(number(n) in fact.model_dump_json() for n in ENVELOPES)
        listed = six().noting(fact)
        shown = str([report(CYCLE, listed.history()), DeliveryConfirmation().body(listed.history())])
        assert fact.list_number in shown and "該当の範囲 3通" in shown
        assert not any(number(n) in shown for n in ENVELOPES)
        assert ("照合差異一覧", "一時保管領域") in {
            (one.what, one.place) for one in copies_of(listed.history())
        }

    def test_the_same_is_printed_once_and_another_under_the_next_number(
        self, dispatched: Dispatched, vault: CycleVault, settings: Settings, tmp_path: Path
    ) -> None:
        first = self.reconciled(dispatched, vault, settings, six(), 2)
        cycle = six().noting(first)
        assert self.reconciled(dispatched, vault, settings, cycle, 2) == first
        assert self.reconciled(dispatched, vault, settings, cycle, 1, 3).list_number == f"{CYCLE}-RL2"
        assert len(list((tmp_path / "tray").iterdir())) == 2

    def test_without_a_difference_nothing_is_printed_and_that_is_kept(
        self, dispatched: Dispatched, vault: CycleVault, settings: Settings, tmp_path: Path
    ) -> None:
        fact = self.reconciled(dispatched, vault, settings, six(), 2, 3)
        assert (fact.notices, fact.envelopes, fact.lots, fact.differences) == (6, 5, 2, ())
        assert not (tmp_path / "tray").exists() and not vault.has(DIFFERENCE_LIST)

    def test_the_refusal_names_the_list(self) -> None:
        cycle = six()
        log = a_print_log(cycle)
        report = m.DeliveryReport(
            cycle=cycle.id,
            manifest_sha256=log.manifest_sha256,
            lots=(m.Lot(lot="1", envelopes=1),),
            sheets_spoiled=0,
            place="区役所",
            delivering_party="乙",
            delivered_at=OPENED_AT.replace(day=9),
            delivered_by="配達 次郎",
        )
        with pytest.raises(Refused) as caught:
            verify_delivery(
                cycle[r.CompositionRecord],
                cycle[r.EncryptionRecord],
                log,
                report,
                log_sha256=a_digest("log"),
                report_sha256=a_digest("report"),
                signed_by="x",
                list_number="LIST-1",
            )
        assert "LIST-1" in caught.value.advice
