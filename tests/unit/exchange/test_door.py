"""The door: only what the cycle's contractor signed for this cycle comes in; the rest is kept whole, outside."""

import stat
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.builders import (
    CONTRACTOR,
    CYCLE,
    NOTICE,
    OPENED_AT,
    AContractor,
    a_content_receipt,
    a_contractor,
    a_cycle,
    a_receipt,
    an_erasure_report,
)

from notice_cycle.errors import Altered, Refused
from notice_cycle.exchange import door
from notice_cycle.exchange.messages import (
    MAX_MESSAGE_BYTES,
    ContentReceipt,
    ErasureReport,
    Message,
    Receipt,
)
from notice_cycle.values import sha256

FIRM = a_contractor(beside=[a_contractor("another_print"), a_contractor("example_insert")])
SIGNERS = {CONTRACTOR: CONTRACTOR, "example_insert": "example_insert"}
RECEIPT = a_receipt(a_cycle())
CONTENT = RECEIPT.content()
SIGNATURE = FIRM.signs(CONTENT)
NOW = OPENED_AT + timedelta(days=30)


def admitted(
    content: bytes = CONTENT,
    signature: bytes = SIGNATURE,
    kind: type[Message] = Receipt,
    *,
    cycle: str = CYCLE,
    firm: AContractor = FIRM,
    at: datetime = NOW,
) -> Message:
    return door.admit(
        content,
        signature,
        kind,
        cycle=cycle,
        signers=SIGNERS,
        contractor=CONTRACTOR,
        allowed=firm.allowed,
        at=at,
    ).message


class TestAdmission:
    def test_a_message_dated_after_now_is_refused_but_a_clock_may_be_minutes_ahead(self) -> None:
        said = max(RECEIPT.moments())
        assert admitted(at=said - timedelta(minutes=10)) == RECEIPT
        with pytest.raises(Refused, match="未来の日時") as caught:
            admitted(at=said - timedelta(minutes=20))
        assert "時計" in caught.value.advice

    def test_a_signed_message_for_this_cycle_comes_in(self) -> None:
        assert admitted() == RECEIPT

    def test_every_altered_byte_of_the_message_is_refused(self) -> None:
        for place in range(len(CONTENT)):
            with pytest.raises(Altered):
                admitted(_flipped(CONTENT, place))

    def test_every_altered_byte_of_the_signature_is_refused(self) -> None:
        for place in range(len(SIGNATURE)):
            with pytest.raises(Refused):
                admitted(signature=_flipped(SIGNATURE, place))

    @pytest.mark.parametrize(
        "signature", [b"", b"-----BEGIN SSH SIGNATURE-----\n", b"\xff" * 300, b"x" * 5_000]
    )
    def test_what_is_no_signature_is_refused(self, signature: bytes) -> None:
        with pytest.raises(Altered):
            admitted(signature=signature)

    def test_a_message_longer_or_shorter_than_signed_is_refused(self) -> None:
        for content in (CONTENT + b" ", CONTENT[:-1], b""):
            with pytest.raises(Altered):
                admitted(content)

    def test_another_contractors_signature_is_refused(self) -> None:
        with pytest.raises(Refused, match="この発送回の委託先でも、承諾した再委託先でもありません"):
            admitted(signature=FIRM.others[0].signs(CONTENT))

    def test_a_subcontractor_reports_under_its_own_name(self) -> None:
        report = an_erasure_report(a_cycle())
        content, insert = report.content(), FIRM.others[1]
        found = door.admit(
            content,
            insert.signs(content),
            ErasureReport,
            cycle=CYCLE,
            signers=SIGNERS,
            contractor=CONTRACTOR,
            allowed=FIRM.allowed,
            at=NOW,
        )
        assert (found.party, found.signed_by, found.sha256) == (
            "example_insert",
            "example_insert",
            sha256(content),
        )

    def test_a_receipt_is_the_contractors_alone(self) -> None:
        with pytest.raises(Refused, match=r"委託先（乙）だけが出せる届出"):
            admitted(signature=FIRM.others[1].signs(CONTENT))

    def test_what_is_larger_than_any_message_is_refused_before_its_signature_is_looked_at(self) -> None:
        with pytest.raises(Refused, match="大きすぎます"):
            admitted(b"x" * (MAX_MESSAGE_BYTES + 1), b"")

    def test_an_unknown_key_is_refused(self) -> None:
        with pytest.raises(Refused, match="署名者の一覧にありません"):
            admitted(signature=a_contractor().signs(CONTENT))

    def test_a_signature_for_another_purpose_is_refused(self) -> None:
        with pytest.raises(Refused, match="用途"):
            admitted(signature=FIRM.signs(CONTENT, namespace="notice-cycle-manifest"))

    def test_a_message_for_another_cycle_is_refused(self) -> None:
        other = f"2026-{NOTICE}-supplementary-01"
        with pytest.raises(Refused, match=f"別の発送回（{CYCLE}）"):
            admitted(cycle=other)

    def test_a_message_of_another_kind_is_refused(self) -> None:
        with pytest.raises(Refused, match="第2段階"):
            admitted(kind=ContentReceipt)

    def test_the_signature_is_checked_before_a_byte_is_read(self) -> None:
        nested = b"[" * 100_000
        with pytest.raises(Altered, match="署名と一致しません"):
            admitted(nested)
        with pytest.raises(Refused, match="JSON として読めません"):
            admitted(nested, FIRM.signs(nested))


def _flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 1
    return bytes(changed)


class TestInbox:
    @pytest.fixture
    def inbox(self, tmp_path: Path) -> Path:
        door.store(tmp_path, CYCLE, "receipt.json", CONTENT, SIGNATURE)
        return tmp_path

    def received(self, inbox: Path, *, expected: str = sha256(CONTENT)) -> tuple[Message, str]:
        found = door.received(
            inbox,
            CYCLE,
            Receipt,
            "receipt.json",
            sha256_expected=expected,
            signers=SIGNERS,
            contractor=CONTRACTOR,
            allowed=FIRM.allowed,
            at=NOW,
        )
        return found.message, found.sha256

    def test_what_was_stored_is_received(self, inbox: Path) -> None:
        assert self.received(inbox) == (RECEIPT, sha256(CONTENT))

    def test_storing_twice_changes_nothing(self, inbox: Path) -> None:
        door.store(inbox, CYCLE, "receipt.json", CONTENT, SIGNATURE)
        assert _files(inbox) == {
            f"{CYCLE}/receipt.json": CONTENT,
            f"{CYCLE}/receipt.json.sig": SIGNATURE,
        }

    def test_the_inbox_is_for_its_owner_alone(self, inbox: Path) -> None:
        assert stat.S_IMODE((inbox / CYCLE).stat().st_mode) == 0o700

    def test_a_touched_message_is_noticed(self, inbox: Path) -> None:
        for place in range(0, len(CONTENT), 11):
            (inbox / CYCLE / "receipt.json").write_bytes(_flipped(CONTENT, place))
            with pytest.raises(Altered, match="受理した時の内容と異なります"):
                self.received(inbox)

    def test_another_message_of_the_same_contractor_is_noticed(self, inbox: Path) -> None:
        other = a_receipt(a_cycle(), received_by="別人").content()
        (inbox / CYCLE / "receipt.json").write_bytes(other)
        (inbox / CYCLE / "receipt.json.sig").write_bytes(FIRM.signs(other))
        with pytest.raises(Altered, match="受理した時の内容と異なります"):
            self.received(inbox)

    def test_a_touched_signature_is_noticed(self, inbox: Path) -> None:
        for place in range(0, len(SIGNATURE), 7):
            (inbox / CYCLE / "receipt.json.sig").write_bytes(_flipped(SIGNATURE, place))
            with pytest.raises(Refused):
                self.received(inbox)

    @pytest.mark.parametrize("name", ["receipt.json", "receipt.json.sig"])
    def test_a_message_that_is_gone_is_told(self, inbox: Path, name: str) -> None:
        (inbox / CYCLE / name).unlink()
        with pytest.raises(Altered, match="受信箱に受領通知（第1段階）がありません") as caught:
            self.received(inbox)
        assert "待機のタスク" in caught.value.advice


class TestQuarantine:
    def test_what_was_turned_away_is_kept_byte_for_byte(self, tmp_path: Path) -> None:
        content, signature = b"\x00\xff not json \r\n", b"no signature"
        name = door.quarantine(tmp_path, CYCLE, "receipt.json", content, signature)
        assert _files(tmp_path) == {
            f"quarantine/{CYCLE}/{name}": content,
            f"quarantine/{CYCLE}/{name}.sig": signature,
        }
        assert name == door.quarantine_name("receipt.json", content, signature)
        assert stat.S_IMODE((tmp_path / "quarantine" / CYCLE).stat().st_mode) == 0o700

    def test_the_same_bytes_twice_make_one_file_and_others_another(self, tmp_path: Path) -> None:
        names = {
            door.quarantine(tmp_path, CYCLE, "receipt.json", content, b"s")
            for content in (b"first", b"first", b"second")
        }
        assert len(names) == 2
        assert len(_files(tmp_path)) == 4

    def test_a_message_moved_away_is_whole_in_quarantine_and_gone_from_the_inbox(
        self, tmp_path: Path
    ) -> None:
        other = a_content_receipt(a_cycle())
        door.store(tmp_path, CYCLE, "receipt.json", CONTENT, SIGNATURE)
        door.store(tmp_path, CYCLE, other.file_name(), other.content(), FIRM.signs(other.content()))
        name = door.put_away(tmp_path, CYCLE, "receipt.json")
        assert _files(tmp_path) == {
            f"quarantine/{CYCLE}/{name}": CONTENT,
            f"quarantine/{CYCLE}/{name}.sig": SIGNATURE,
            f"{CYCLE}/content-receipt.json": other.content(),
            f"{CYCLE}/content-receipt.json.sig": FIRM.signs(other.content()),
        }
        assert name == door.quarantine_name(
            "receipt.json", CONTENT, SIGNATURE
        )  # so that it is never taken again


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
