"""発送結果: every notice once, in the core system's own format, whole or not at all, and never another content."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from tests.builders import CONFIG, CYCLE, NOTICE, OPENED_AT, TANTO, ACycle, a_cycle, a_digest, a_file

from notice_cycle import records as r
from notice_cycle.catalogue import notice_ids
from notice_cycle.errors import Altered, CannotLook, NotConfigured
from notice_cycle.notice_reconciliation import Dispatched, Letter
from notice_cycle.posting import Posted
from notice_cycle.pullout import Pulled, PulloutCancelled, PulloutConfirmed, PulloutRequested
from notice_cycle.result_file import (
    FILE_NAME,
    Outcome,
    ResultFormat,
    load_format,
    outcomes,
    write_results,
)
from notice_cycle.values import sha256
from notice_cycle.vault import CycleVault

LETTERS = tuple(
    Letter(f"{n:011d}", f"{n:010d}", envelope_no=n, lot_no=1 if n <= 2 else 2) for n in range(1, 6)
)
DISPATCHED = Dispatched(LETTERS, Pulled(), frozenset())
DELIVERED = a_cycle(persons=6).up_to(r.DeliveryConfirmationRecord)
DAY = date(2026, 7, 20)


def a_request(number: int, *, purpose: str = "引抜き") -> PulloutRequested:
    return PulloutRequested(
        pullout=number, number=f"{CYCLE}-N{number}", purpose=purpose, # type: ignore[arg-type]
        dispatch=DELIVERED[r.CompositionRecord].print_file.sha256, dag_id="x", run_id="y", notices=1,
        by_reason={"death": 1}, envelopes=1, opened=0, lots=(), list_file=a_file(f"pullout-{number}.csv"),
        requested_by=TANTO, requested_at=OPENED_AT,
    )  # fmt: skip


def a_confirmation(number: int, *, not_found: int = 0) -> PulloutConfirmed:
    return PulloutConfirmed(
        pullout=number, party="x", message_sha256=a_digest(number), pulled=1 - not_found, not_found=not_found,
        done_at=OPENED_AT + timedelta(days=1), done_by="y",
    )  # fmt: skip


def everything_posted() -> Posted:
    envelopes = DELIVERED[r.DeliveryRecord].envelopes_delivered
    return Posted(
        receipt_number="1", party="", envelopes=envelopes, post_office="架空中央郵便局",
        posted_at=OPENED_AT + timedelta(days=12),
    )  # fmt: skip


def found(cycle: ACycle, vault: CycleVault, **lists: int) -> list[tuple[str, str, str, str]]:
    """What is told of each letter; `pullout1=3`: request 1 names notice 3."""
    for name, notice in lists.items():
        with vault.writing(f"pullout-{name.removeprefix('pullout')}.csv") as artefact:
            artefact.buffer.write(f"通知書番号,理由\r\n{notice:011d},death\r\n".encode())
    return [
        (one.result, *(str(day or "") for day in (one.delivered_on, one.posted_on, one.pulled_on)))
        for one in outcomes(DISPATCHED, cycle.history(), vault)
    ]


class TestWhatBecameOfEachNotice:
    def test_sent_when_delivered_with_the_day_of_posting_once_all_is_posted(self, vault: CycleVault) -> None:
        assert found(DELIVERED, vault) == [("sent", "2026-07-01", "", "")] * 5
        posted = DELIVERED.noting(everything_posted())
        assert found(posted, vault)[0] == ("sent", "2026-07-01", "2026-07-13", "")
        some = everything_posted().model_copy(update={"envelopes": 1})
        assert found(DELIVERED.noting(some), vault)[0] == ("sent", "2026-07-01", "", "")

    def test_pulled_replaced_and_uncertain_are_told_apart(self, vault: CycleVault) -> None:
        cycle = DELIVERED.noting(
            *(a_request(1), a_confirmation(1)),
            *(a_request(2, purpose="差替え"), a_confirmation(2)),
            *(a_request(3), a_confirmation(3, not_found=1)),
            *(a_request(4), PulloutCancelled(pullout=4, cancelled_by=TANTO, cancelled_at=OPENED_AT)),
        )
        assert [one[0] for one in found(cycle, vault, pullout1=1, pullout2=2, pullout3=3, pullout4=4)] == [
            *("pulled", "replaced", "uncertain", "sent", "sent")
        ]
        assert found(cycle, vault)[0] == ("pulled", "", "", "2026-07-02")
        assert found(DELIVERED.noting(a_request(1)), vault)[0][0] == "uncertain", "nobody confirmed it"

    def test_nothing_of_a_dispatch_that_was_given_up_is_sent(self, vault: CycleVault) -> None:
        given_up = r.HandoverRecalled(left={}, reason_code="x", decided_by=TANTO)
        assert {one[0] for one in found(DELIVERED.noting(given_up), vault)} == {"withdrawn"}


# ---- the format, by day and notice


def test_every_notice_of_the_catalogue_has_a_format() -> None:
    for notice in notice_ids(CONFIG):
        assert load_format(CONFIG, notice, DAY).format == "csv-cp932"


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / FILE_NAME).write_text((CONFIG / FILE_NAME).read_text(encoding="utf-8"), encoding="utf-8")
    yield tmp_path


def change(config: Path, **changes: object) -> None:
    """A second format beside the sample's."""
    path = config / FILE_NAME
    known = yaml.safe_load(path.read_text(encoding="utf-8"))
    known["formats"].append(known["formats"][0] | changes)
    path.write_text(yaml.safe_dump(known, allow_unicode=True), encoding="utf-8")


def test_a_new_format_holds_from_its_first_day_and_a_named_notice_goes_first(config: Path) -> None:
    change(config, valid_from=date(2026, 10, 1), format="csv-utf8")
    assert load_format(config, NOTICE, date(2026, 9, 30)).format == "csv-cp932"
    assert load_format(config, NOTICE, date(2026, 10, 1)).format == "csv-utf8"
    change(config, notices=["reminder"])
    assert load_format(config, "reminder", date(2026, 10, 1)).format == "csv-cp932"
    with pytest.raises(NotConfigured, match="2026-03-31 に効く"):
        load_format(config, NOTICE, date(2026, 3, 31))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "fixed-cp932"},
        {"columns": [{"item": "notice_no"}]},
        {"columns": [{"item": "recipient_name"}]},
        {"results": {"sent": "1"}},
        {"results": dict.fromkeys(("sent", "pulled", "replaced", "uncertain", "withdrawn"), "1")},
    ],
    ids=["widths", "no result", "unknown item", "results missing", "one code for all"],
)
def test_a_format_that_cannot_hold_is_refused(config: Path, changes: dict[str, object]) -> None:
    change(config, **changes)
    with pytest.raises(NotConfigured, match=r"formats\.1"):
        load_format(config, NOTICE, DAY)


def test_no_file_or_no_yaml_is_told(config: Path) -> None:
    for content in (b"formats: [", b"\xff\xfe"):
        (config / FILE_NAME).write_bytes(content)
        with pytest.raises(NotConfigured, match="読めません"):
            load_format(config, NOTICE, DAY)


# ---- the files


OUTCOMES = [
    Outcome(LETTERS[0], "sent", date(2026, 7, 10), date(2026, 7, 13)),
    Outcome(LETTERS[1], "pulled", pulled_on=date(2026, 7, 3)),
]


def fixed() -> ResultFormat:
    known = load_format(CONFIG, NOTICE, DAY).model_dump()
    widths = {"notice_no": 12, "subject": 10, "result": 1, "lot_no": 3}
    columns = [column | {"bytes": widths.get(column["item"], 8)} for column in known["columns"]]
    return ResultFormat.model_validate(known | {"format": "fixed-cp932", "columns": columns})


class TestFiles:
    def written(self, root: Path, *told: Outcome, layout: ResultFormat | None = None) -> r.ResultsReturned:
        return write_results(
            told or OUTCOMES,
            layout or load_format(CONFIG, NOTICE, DAY),
            root / NOTICE,
            notice=NOTICE,
            cycle=CYCLE,
            as_of=OPENED_AT,
            at=OPENED_AT,
        )

    def test_a_data_file_and_a_control_file_that_promises_it(self, tmp_path: Path) -> None:
        fact = self.written(tmp_path)
        data, control = ((tmp_path / NOTICE / name).read_bytes() for name in (f"{CYCLE}.csv", f"{CYCLE}.ctl"))
        assert data.decode("cp932").split("\r\n") == [
            "通知書番号,対象者番号,発送結果,納品日,差出日,引抜日,ロット",
            "00000000001,0000000001,1,20260710,20260713,,1",
            "00000000002,0000000002,2,,,20260703,1",
            "",
        ]
        lines = dict(line.split("=") for line in control.decode().splitlines())
        assert (lines["count"], lines["sha256"], lines["file"]) == ("2", sha256(data), f"{CYCLE}.csv")
        assert (lines["result.sent"], lines["result.pulled"], lines["result.withdrawn"]) == ("1", "1", "0")
        assert lines["as_of"] == "2026-07-01T09:00:00+09:00"
        assert (fact.file.sha256, fact.control_file.sha256) == (sha256(data), sha256(control))
        assert fact.results == {"sent": 1, "pulled": 1}
        assert "0000000001" not in fact.model_dump_json()

    def test_fixed_length_in_bytes(self, tmp_path: Path) -> None:
        self.written(tmp_path, layout=fixed())
        first, second, end = (tmp_path / NOTICE / f"{CYCLE}.dat").read_bytes().split(b"\r\n")
        assert first == b"00000000001 000000000112026071020260713        1  "
        assert (len(second), end) == (len(first), b"")

    def test_a_column_too_narrow_is_refused_before_anything_is_written(self, tmp_path: Path) -> None:
        narrow = fixed().model_copy(
            update={
                "columns": tuple(
                    column.model_copy(update={"bytes": 5}) if column.item == "notice_no" else column
                    for column in fixed().columns
                )
            }
        )
        with pytest.raises(NotConfigured, match="notice_no の幅が足りません"):
            self.written(tmp_path, layout=narrow)
        assert not (tmp_path / NOTICE).exists()

    def test_a_retry_changes_nothing(self, tmp_path: Path) -> None:
        first = self.written(tmp_path)
        before = {path: path.stat().st_ino for path in (tmp_path / NOTICE).iterdir()}
        assert self.written(tmp_path) == first
        assert {path: path.stat().st_ino for path in (tmp_path / NOTICE).iterdir()} == before

    def test_a_file_cut_short_by_a_crash_is_written_again(self, tmp_path: Path) -> None:
        self.written(tmp_path)
        (tmp_path / NOTICE / f"{CYCLE}.ctl").unlink()
        (tmp_path / NOTICE / f"{CYCLE}.csv").write_bytes(b"half")
        fact = self.written(tmp_path)
        assert sha256((tmp_path / NOTICE / f"{CYCLE}.csv").read_bytes()) == fact.file.sha256

    def test_another_content_is_never_written_over_what_may_have_been_read(self, tmp_path: Path) -> None:
        self.written(tmp_path)
        before = (tmp_path / NOTICE / f"{CYCLE}.csv").read_bytes()
        with pytest.raises(Altered, match="別の内容の統制票"):
            self.written(tmp_path, OUTCOMES[0])
        assert (tmp_path / NOTICE / f"{CYCLE}.csv").read_bytes() == before

    def test_a_folder_that_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(CannotLook, match="発送結果のフォルダに書けません"):
            self.written(tmp_path / "share")
        assert not (tmp_path / "share").exists()

    def test_a_link_put_in_the_way_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / NOTICE).mkdir()
        outside = tmp_path / "outside"
        (tmp_path / NOTICE / f".{CYCLE}.csv.partial").symlink_to(outside)
        with pytest.raises(CannotLook):
            self.written(tmp_path)
        assert not outside.exists()
