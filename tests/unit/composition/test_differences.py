"""差分一覧: who died or moved out gets no notice, a changed addressee gets the right envelope, all of it counted."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from tests.builders import TANTO
from tests.unit.composition.notices import a_notice, composed, printed

from notice_cycle.composition.differences import refuse_late_entries
from notice_cycle.errors import Conflict, Refused
from notice_cycle.records import HandoverApprovalRecord
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import PRINT_FILE

AT = datetime(2026, 7, 2, 3, 0, tzinfo=UTC)
NEW = {
    "recipient_kind": "family",
    "postcode": "9999501",
    "address": "架空県見本市緑川町１番地",
    "address_detail": None,
    "recipient_name": "見本　一郎",
    "recipient_suffix": "様方",
}


def entry(number: int, reason: str, *, minutes: int = 0, **recipient: Any) -> dict[str, Any]:
    known = dict.fromkeys(NEW) | recipient
    return {
        "notice_no": f"{number:011}",
        "reason": reason,
        "noted_at": AT + timedelta(minutes=minutes),
    } | known


def listed(*entries: dict[str, Any]) -> pa.Table:
    texts = dict.fromkeys(("notice_no", "reason", *NEW), pa.string())
    schema = pa.schema([*texts.items(), ("noted_at", pa.timestamp("us", "UTC"))])
    return pa.Table.from_pylist(list(entries), schema=schema)


def rows_of(vault: CycleVault) -> dict[int, dict[str, str]]:
    rows = list(csv.DictReader(io.StringIO(printed(vault).decode("cp932"))))[:-1]
    return {int(row["通知書番号"]): row for row in rows}


def test_the_dead_and_the_moved_get_no_notice_and_are_counted_by_reason(vault: CycleVault) -> None:
    differences = listed(entry(3, "death"), entry(5, "moved_out"), entry(20, "moved_out"))
    record = composed(vault, *(a_notice(n) for n in range(1, 31)), differences=differences)
    assert set(rows_of(vault)) == set(range(1, 31)) - {3, 5, 20}
    assert record.excluded == {"death": 1, "moved_out": 2}
    assert record.quantities.notices == 27


def test_the_total_of_a_few_excluded_persons_cannot_be_told_from_the_records(vault: CycleVault) -> None:
    rows = [a_notice(n) for n in range(1, 41)]
    few = composed(vault, *rows, differences=listed(*(entry(n, "death") for n in range(1, 10))))
    assert few.totals["annual_yen"].yen is None
    many = composed(vault, *rows, differences=listed(*(entry(n, "death") for n in range(1, 11))))
    assert many.totals["annual_yen"].yen == 30 * 72_600


def test_a_changed_addressee_is_printed_and_shares_no_envelope(vault: CycleVault) -> None:
    sharing = {"recipient_id": "9", "share_envelope": True}
    rows = [a_notice(n, **sharing) for n in (1, 2, 3)]
    record = composed(vault, *rows, differences=listed(entry(2, "recipient_changed", **NEW)))
    found = rows_of(vault)
    assert (found[2]["送付先氏名"], found[2]["敬称"]) == ("見本　一郎", "様方")
    assert (found[2]["郵便番号"], found[2]["住所"], found[2]["方書"]) == ("9999501", NEW["address"], "")
    assert found[2]["カスタマバーコード"].startswith("99995011d")
    assert found[1]["封筒番号"] == found[3]["封筒番号"] != found[2]["封筒番号"]
    assert (record.corrected, record.ambiguous, record.quantities.envelopes) == (1, 0, 2)


def test_the_latest_of_two_entries_holds(vault: CycleVault) -> None:
    differences = listed(
        entry(1, "recipient_changed", minutes=5, **NEW),
        entry(1, "death"),
        entry(2, "death", minutes=9),
        entry(2, "moved_out"),
    )
    record = composed(vault, a_notice(1), a_notice(2), differences=differences)
    assert (record.corrected, record.excluded) == (1, {"death": 1})


def test_two_different_entries_of_one_moment_stop(vault: CycleVault) -> None:
    with pytest.raises(Conflict, match=r"同じ時刻の異なる届け.*（1件）"):
        composed(vault, a_notice(1), differences=listed(entry(1, "death"), entry(1, "moved_out")))


def test_the_same_entry_twice_is_one(vault: CycleVault) -> None:
    assert composed(
        vault, a_notice(1), a_notice(2), differences=listed(entry(1, "death"), entry(1, "death"))
    ).excluded == {"death": 1}


def test_entries_for_notices_of_no_row_are_counted(vault: CycleVault) -> None:
    record = composed(
        vault, a_notice(1), differences=listed(entry(8, "death"), entry(9, "recipient_changed", **NEW))
    )
    assert (record.unknown_differences, record.excluded, record.corrected) == (2, {}, 0)


@pytest.mark.parametrize(
    "broken",
    [
        {"postcode": "999-9501"},
        {"postcode": None},
        {"address": "　"},
        {"recipient_name": ""},
        {"recipient_name": None},
    ],
)
def test_an_incomplete_new_addressee_is_refused(vault: CycleVault, broken: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"新しい送付先に.*（1件）") as caught:
        composed(vault, a_notice(1), differences=listed(entry(1, "recipient_changed", **NEW | broken)))
    assert "緑川町" not in str(caught.value)
    assert not vault.has(PRINT_FILE)


def test_an_unknown_reason_is_refused(vault: CycleVault) -> None:
    with pytest.raises(Refused, match=r"どれでもない理由があります（1件）"):
        composed(vault, a_notice(1), differences=listed(entry(1, "divorced")))


def test_a_correction_passes_the_character_gate(vault: CycleVault) -> None:
    with pytest.raises(Refused, match=r"U\+20BB8 1件"):
        composed(
            vault,
            a_notice(1),
            differences=listed(entry(1, "recipient_changed", **NEW | {"recipient_name": "\U00020bb8野"})),
        )


def test_no_list_and_an_empty_one_change_nothing(vault: CycleVault) -> None:
    without, empty = composed(vault, a_notice(1)), composed(vault, a_notice(1), differences=listed())
    assert (without.differences_read, empty.differences_read) == (None, 0)
    assert without == empty.model_copy(update={"differences_read": None})


@pytest.mark.parametrize(
    ("more", "late"),
    [
        ([], 0),
        ([entry(7, "death", minutes=20)], 1),  # noted before the approval
        ([entry(7, "death", minutes=20), entry(8, "moved_out", minutes=90)], 1),
        ([entry(8, "moved_out", minutes=90)], 0),  # noted after it: the envelope is pulled out instead
    ],
)
def test_what_is_noted_between_composition_and_approval_is_not_passed_over(
    vault: CycleVault, more: list[dict[str, Any]], late: int
) -> None:
    known = [entry(3, "death"), entry(5, "moved_out", minutes=10)]
    record = composed(vault, *(a_notice(n) for n in range(1, 31)), differences=listed(*known))
    assert record.differences_read == 2
    approval = HandoverApprovalRecord(
        approved_by=TANTO, approved_at=AT + timedelta(minutes=60), print_file_sha256=record.print_file.sha256
    )
    if late:
        with pytest.raises(Refused, match=f"{late}件が加わっています"):
            refuse_late_entries(listed(*known, *more), record, approval)
    else:
        refuse_late_entries(listed(*known, *more), record, approval)


def test_a_dropped_file_and_an_older_record_have_no_list_to_compare(vault: CycleVault) -> None:
    record = composed(vault, a_notice(1))
    assert record.differences_read is None
    approval = HandoverApprovalRecord(
        approved_by=TANTO, approved_at=AT, print_file_sha256=record.print_file.sha256
    )
    refuse_late_entries(None, record, approval)
    refuse_late_entries(listed(entry(1, "death")), record, approval)
