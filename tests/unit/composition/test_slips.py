"""The barcodes of slips stand in their own rows, or nothing leaves."""

import csv
import io
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from tests.unit.composition.notices import a_notice, composed, configured, laid_out, printed

from notice_cycle.catalogue import Configuration
from notice_cycle.composition import slips as slip_module
from notice_cycle.composition.payment_barcode import PaymentBarcode, read_payment_barcode
from notice_cycle.errors import Conflict, NotConfigured, Refused
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import PRINT_FILE


def rows_of(vault: CycleVault) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(printed(vault).decode("cp932"))))[:-1]


def test_each_instalment_has_its_slip_with_its_own_due_date(vault: CycleVault) -> None:
    composed(vault, a_notice(1), a_notice(2))
    for row in rows_of(vault):
        for number, (month, due_on) in enumerate(
            zip((7, 8, 9, 10, 11, 12, 1, 2, 3), configured().due_on, strict=True), 1
        ):
            assert read_payment_barcode(row[f"{month}月期バーコード"]) == PaymentBarcode(
                issuer="912345",
                fiscal_year=2026,
                notice_no=row["通知書番号"],
                instalment=number,
                reissue=0,
                due_on=due_on,
                amount_yen=int(row[f"{month}月期"]),
            )


def test_no_slip_by_account_for_nothing_or_for_more_than_stores_take(vault: CycleVault) -> None:
    composed(vault, a_notice(1, payment_means="account"), a_notice(2, instalment_08=0, instalment_09=300_100))
    account, slip = rows_of(vault)
    assert not any(
        text for heading, text in account.items() if heading.endswith("バーコード") and "月期" in heading
    )
    assert (slip["8月期バーコード"], slip["9月期バーコード"]) == ("", "")
    assert slip["10月期バーコード"]


def test_a_reminder_has_one_slip_for_its_year_instalment_and_day(vault: CycleVault) -> None:
    rows = (
        a_notice(1, "reminder"),
        a_notice(2, "reminder", levied_year=2026, instalment=1, overdue_yen=300, pay_by_on=date(2026, 11, 2)),
    )
    composed(vault, *rows, configuration=configured("reminder"))
    read = [read_payment_barcode(row["バーコード"]) for row in rows_of(vault)]
    assert [(one.fiscal_year, one.instalment, one.amount_yen, one.due_on) for one in read] == [
        (2025, 3, 8_000, date(2026, 10, 30)),
        (2026, 1, 300, date(2026, 11, 2)),
    ]


def test_a_demand_has_one_slip_over_everything(vault: CycleVault) -> None:
    composed(vault, a_notice(1, "demand_notice"), configuration=configured("demand_notice"))
    (row,) = rows_of(vault)
    read = read_payment_barcode(row["バーコード"])
    assert (read.fiscal_year, read.instalment, read.amount_yen) == (2026, 99, 16_000)


def test_a_missing_due_date_is_refused(vault: CycleVault) -> None:
    with pytest.raises(Refused, match="納期限"):
        composed(vault, a_notice(1, "reminder", pay_by_on=None), configuration=configured("reminder"))


@pytest.mark.parametrize("wrong", [{"slip_09": 100}, {"slip_09": 0}, {"payment_no": "00000000099"}])
def test_a_slip_that_differs_from_its_sheet_stops(vault: CycleVault, wrong: dict[str, Any]) -> None:
    rows = [a_notice(n, **(wrong if n == 8 else {})) for n in range(1, 20)]
    with pytest.raises(Conflict, match=r"一致しません（1件）") as caught:
        composed(vault, *rows)
    assert "00000000008" not in str(caught.value)
    assert not vault.has(PRINT_FILE)


def rolled(column: pa.Array) -> pa.Array:
    return pa.concat_arrays([column.slice(1), column.slice(0, 1)])


def test_a_barcode_column_that_slipped_by_one_row_never_leaves(
    vault: CycleVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = slip_module.payment_barcodes
    monkeypatch.setattr(slip_module, "payment_barcodes", lambda *a, **k: rolled(make(*a, **k)))
    with pytest.raises(Conflict, match=r"一致しません（30件）"):
        composed(vault, *(a_notice(n) for n in range(1, 31)))
    assert not vault.has(PRINT_FILE)


def test_a_barcode_where_none_may_be_never_leaves(vault: CycleVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slip_module, "payment_barcodes", lambda *_, **__: pa.array(["9" * 44]))
    with pytest.raises(Conflict):
        composed(vault, a_notice(1, payment_means="account"))


def with_pay_easy(**changes: Any) -> Configuration:
    configuration = configured("demand_notice")
    assert configuration.notice.slips is not None
    slips = configuration.notice.slips.model_copy(update={"collector_no": "99999", "payment_class": "2026"})
    notice = configuration.notice.model_copy(
        update={"slips": slips, "items": (*configuration.notice.items, "confirmation_no")} | changes
    )
    items = (
        "record_kind",
        "notice_no",
        "barcode",
        "elqr_collector_no",
        "elqr_payment_no",
        "elqr_confirmation_no",
        "elqr_payment_class",
    )
    return configuration.model_copy(update={"notice": notice, "layout": laid_out(*items, trailer=True)})


def test_the_fields_beside_an_elqr_are_printed_where_the_layout_asks_for_them(vault: CycleVault) -> None:
    row = a_notice(12, "demand_notice") | {"confirmation_no": "123456"}
    composed(vault, row, configuration=with_pay_easy())
    (found,) = rows_of(vault)
    assert found["elqr_payment_no"][:13] == "0000000001299"
    assert [found[f"elqr_{name}"] for name in ("collector_no", "confirmation_no", "payment_class")] == [
        "99999",
        "123456",
        "2026",
    ]


def test_pay_easy_without_a_confirmation_number_is_a_mistake_in_the_catalogue(vault: CycleVault) -> None:
    configuration = with_pay_easy(items=configured("demand_notice").notice.items)
    with pytest.raises(NotConfigured, match="confirmation_no"):
        composed(vault, a_notice(1, "demand_notice"), configuration=configuration)
