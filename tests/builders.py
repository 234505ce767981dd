"""Builders that name only what matters to a test: `a_cycle(persons=3).up_to(EncryptionRecord)`.

Everything else is filled in with values that fit each other, so that a test that changes one of them sees
the product notice exactly that. Nobody and nothing here exists.
"""

import functools
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from notice_cycle import records as r
from notice_cycle.catalogue import Configuration, resolve
from notice_cycle.encryption.sshsig import AllowedSigners, SigningKey
from notice_cycle.exchange import messages as m
from notice_cycle.forms import Answer
from notice_cycle.ledger.entry import Entry, System
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.ledger.store import Ledger
from notice_cycle.pullout import DeliveredPulledOut
from notice_cycle.stage import CYCLE_RECORDS, predecessor_of
from notice_cycle.values import Occasion, Person, StoredFile, sha256

CONFIG = Path(__file__).parents[1] / "include" / "config"
NOTICE = "premium_notice_ordinary"
CYCLE = f"2026-{NOTICE}-annual-01"
CONTRACTOR = "example_print"
SMALL_TOTAL_KEY = b"a key for small totals"
OPENED_AT = datetime(2026, 7, 1, 0, 0, tzinfo=UTC)  # 9:00 in Tokyo; each record is ten minutes later

TANTO = Person(user_id="tanto1", name="担当 一郎")
SHONIN = Person(user_id="shonin1", name="承認 花子")
TASK = System(task="a.task")

R = TypeVar("R", bound=r.Record)


@functools.cache
def the_configuration() -> Configuration:
    """The sample catalogue's one notice, resolved for 2026."""
    return resolve(CONFIG, NOTICE, 2026)


def a_digest(of: object) -> str:
    """Some SHA-256, the same for the same argument."""
    return sha256(repr(of).encode())


def a_file(name: str, content: bytes = b"content") -> StoredFile:
    return StoredFile(name=name, size_bytes=len(content), sha256=sha256(content))


# ---- a cycle


@dataclass(frozen=True)
class ACycle:
    """A cycle as far as it has come: `records` in the order in which they follow each other."""

    records: tuple[r.Record, ...]
    id: str = CYCLE
    beside: tuple[r.Fact, ...] = ()

    def up_to(self, last: type[r.Record]) -> Self:
        """Only the records up to and with `last`."""
        return replace(self, records=self.records[: CYCLE_RECORDS.index(last) + 1])

    def with_(self, **changes: dict[str, Any]) -> Self:
        """Fields of records changed, by the record's kind: `with_(composition={"charset": …})`."""
        assert changes.keys() <= {record.kind() for record in self.records}
        return replace(
            self, records=tuple(_changed(record, changes.get(record.kind(), {})) for record in self.records)
        )

    def noting(self, *facts: r.Fact) -> Self:
        """Facts that are entered after the records."""
        return replace(self, beside=(*self.beside, *facts))

    def __getitem__(self, kind: type[R]) -> R:
        return next(record for record in self.records if isinstance(record, kind))

    def history(self) -> CycleHistory:
        """The cycle as a stage would read it, without a ledger."""
        entries: list[Entry] = []
        for number, kept in enumerate((*self.records, *self.beside)):
            follows = entries[-1].digest if entries and isinstance(kept, r.Record) else None
            entries.append(
                Entry(
                    seq=number + 2,
                    previous=entries[-1].digest if entries else a_digest("genesis"),
                    recorded_at=OPENED_AT + timedelta(minutes=10 * number),
                    actor=TASK,
                    cycle=self.id,
                    kind=kept.kind(),
                    follows=follows,
                    data=kept.model_dump(mode="json"),
                )
            )
        return CycleHistory(entries)

    def entered_in(self, ledger: Ledger) -> list[Entry]:
        """Enters everything, as the stages would."""
        entries = [
            ledger.enter(self.id, record, TASK, after=predecessor_of(type(record))) for record in self.records
        ]
        return entries + [ledger.note(self.id, fact, TASK) for fact in self.beside]


def a_cycle(
    *,
    persons: int = 40,
    total_yen: int = 2_345_600,
    run_id: str = "manual__1",
    cycle: str = CYCLE,
    synthetic: bool = True,
) -> ACycle:
    """A cycle that went through all stages without a fault, from 2026-07-01 9:00 on."""
    quantities = r.Quantities(persons=persons, notices=persons, envelopes=persons - 1, sheets=persons)
    total = r.AmountTotal.of(total_yen, persons=persons, key=SMALL_TOTAL_KEY)
    extracted = a_file("extracted.arrow", b"rows")
    print_file = a_file("print.csv", b"print data")
    manifest, package = a_digest("manifest"), f"{cycle}-p1"
    files = (
        a_file(f"{package}.csv.age", b"ciphertext"),
        StoredFile(name="manifest.json", size_bytes=900, sha256=manifest),
        a_file("manifest.json.sig"),
        a_file("SHA256SUMS", b"sums"),
    )
    notice_number = f"{cycle}-PW1"
    at = {kind: OPENED_AT + timedelta(minutes=10 * place) for place, kind in enumerate(CYCLE_RECORDS)}
    return ACycle(
        id=cycle,
        records=(
            an_opening(run_id=run_id, synthetic=synthetic, cycle=cycle),
            r.YearSettingsRecord(
                fiscal_year=2026,
                premiums_sha256=a_digest("premiums"),
                papers="架空区介護保険条例",
                confirmed_by=SHONIN,
                confirmed_at=at[r.YearSettingsRecord],
                confirmed_in=cycle,
            ),
            r.ExtractionRecord(
                as_of=OPENED_AT - timedelta(hours=12),
                rows=persons,
                persons=persons,
                columns=the_configuration().notice.items,
                totals={"annual_yen": total, "ordinary_total_yen": total},
                staging=extracted,
                circumstances=a_file("circumstances.json"),
            ),
            r.ValidationRecord(
                staging_sha256=extracted.sha256,
                rules=(a_rule(),),
                counts={"stage": {"5": persons}, "collection_method": {"ordinary": persons}},
                last_year={"stage": {"5": persons - 1}},
                last_year_of=2025,
            ),
            r.ValidationConfirmationRecord(
                confirmed_by=TANTO, confirmed_at=at[r.ValidationConfirmationRecord]
            ),
            r.CompositionRecord(
                quantities=quantities,
                totals={"annual_yen": total, "ordinary_total_yen": total},
                layout=the_configuration().layout.id,
                charset="cp932-windows",
                print_file=print_file,
                variants={"slip": persons},
                lots=(r.PostalLot(lot_no=1, postal_class="一般", envelopes=quantities.envelopes),),
                excluded={},
                corrected=0,
                unknown_differences=0,
                ambiguous=0,
                replaced_characters={},
                without_customer_barcode=0,
            ),
            r.HandoverApprovalRecord(
                approved_by=SHONIN,
                approved_at=at[r.HandoverApprovalRecord],
                print_file_sha256=print_file.sha256,
            ),
            r.EncryptionRecord(
                package=package,
                cipher="age v1 (scrypt, ChaCha20-Poly1305)",
                files=files,
                manifest_sha256=manifest,
                signer_fingerprint="SHA256:ward",
            ),
            r.HandoverRecord(
                party=CONTRACTOR,
                files=files,
                sent_at=at[r.HandoverRecord],
                lgwan=r.OverLgwan(
                    host="127.0.0.1",
                    host_key_fingerprint="SHA256:host",
                    transport="ssh",
                    remote_folder=f"/to_contractor/{cycle}",
                    listing=tuple(r.RemoteFile(name=file.name, size_bytes=file.size_bytes) for file in files),
                ),
            ),
            r.ReceiptRecord(
                message_sha256=a_digest("receipt"),
                signed_by=CONTRACTOR,
                received_at=at[r.ReceiptRecord],
                received_by="受領 太郎",
            ),
            r.PassphraseNoticeRecord(
                notice_number=notice_number,
                document_sha256=a_digest("paper"),
                printed_at=at[r.PassphraseNoticeRecord],
            ),
            r.PassphraseHandoverRecord(
                confirmation_number=f"{notice_number}-確認書",
                notice_number=notice_number,
                handed_at=at[r.PassphraseHandoverRecord],
                giver="担当 一郎",
                taker="受領 太郎",
                means="手渡し",
                tracking_number="",
                quantity=1,
                entered_by=TANTO,
                entered_at=at[r.PassphraseHandoverRecord],
            ),
            r.ContentReceiptRecord(
                message_sha256=a_digest("content receipt"),
                signed_by=CONTRACTOR,
                print_file_sha256=print_file.sha256,
                opened_at=at[r.ContentReceiptRecord],
                quantities=quantities,
                unreadable_characters=0,
            ),
            r.StagingWipeRecord(
                wiped=(extracted, print_file),
                kept=("cycle.key", "dispatch_index.arrow", "passphrase.key"),
                wiped_at=at[r.StagingWipeRecord],
            ),
            r.DeliveryRecord(
                print_log_sha256=a_digest("print log"),
                delivery_report_sha256=a_digest("delivery report"),
                signed_by=CONTRACTOR,
                sheets_printed=persons,
                sheets_spoiled=0,
                envelopes_delivered=quantities.envelopes,
                lots=1,
                delivered_at=at[r.DeliveryRecord],
                computers=("PRINT-01",),
                place="区役所 本庁舎 文書集配室",
                delivered_by="配達 次郎",
                deliveries=(r.LotDelivered(lot="1", envelopes=quantities.envelopes),),
            ),
            r.DeliveryConfirmationRecord(
                confirmation_number=f"{cycle}-納品確認書",
                delivered_at=at[r.DeliveryConfirmationRecord],
                handler="担当 一郎",
                contents="納入通知書・普通徴収 封入封緘済み",
                quantity=quantities.envelopes,
                party="架空印刷株式会社",
                deliverer="配達 次郎",
                entered_by=TANTO,
                entered_at=at[r.DeliveryConfirmationRecord],
            ),
            r.ErasureRecord(
                report_sha256=a_digest("erasure report"),
                certificate_sha256=a_digest("erasure certificate"),
                certificate_number="消-26-001",
                signed_by=CONTRACTOR,
                copies_erased=3,
                notices=persons,
                erased_at=at[r.ErasureRecord],
                parties=(_an_erasure(files[0], print_file, at[r.ErasureRecord]),),
            ),
            r.ErasureConfirmationRecord(
                method="ビデオ通話",
                confirmed_on="2026-07-01 11:40",
                note_number="26介保第120号",
                entered_by=TANTO,
                entered_at=at[r.ErasureConfirmationRecord],
            ),
            r.DestructionRecord(
                destroyed=(a_file("cycle.key"),),
                keys_destroyed=2,
                files_left=0,
                destroyed_at=at[r.DestructionRecord],
            ),
            r.ClosingRecord(
                evidence={r.OpeningRecord.kind(): a_digest("opening")},
                ledger_entries=20,
                ledger_head=a_digest("head"),
                closed_at=at[r.ClosingRecord],
            ),
        ),
    )


def _an_erasure(package: StoredFile, opened: StoredFile, at: datetime) -> r.PartyErasure:
    held = (
        ("サーバー", "受け口", package),
        ("パソコン", "PRINT-01", package),
        ("パソコン", "PRINT-01", opened),
    )
    return r.PartyErasure(
        party=CONTRACTOR,
        signed_by=CONTRACTOR,
        report_sha256=a_digest("erasure report"),
        certificate_sha256=a_digest("erasure certificate"),
        certificate_number="消-26-001",
        addressed_to=("甲",),
        certified_at=at,
        responsible_person="責任 六郎",
        backups="控えなし",
        copies=tuple(
            r.CopyErased.model_validate(
                {
                    "place": place,
                    "carrier": carrier,
                    "file_sha256": file.sha256,
                    "method": "purge",
                    "tool": "nvme format",
                    "serial_number": "SN-0001",
                    "started_at": at - timedelta(minutes=5),
                    "erased_at": at,
                    "operator": "消去 四郎",
                    "witness": "立会 五郎",
                }
            )
            for carrier, place, file in held
        ),
    )


def an_opening(
    *, run_id: str = "manual__1", batch_no: str = "2026-annual", synthetic: bool = True, cycle: str = CYCLE
) -> r.OpeningRecord:
    """The opening of a cycle; occasion and round are those of its id."""
    *_, occasion, number = cycle.split("-")
    return r.OpeningRecord(
        fiscal_year=2026,
        notice=NOTICE,
        occasion=Occasion(occasion),
        round=int(number),
        dag_id=NOTICE,
        run_id=run_id,
        batch_no=batch_no,
        reason_code="annual",
        synthetic=synthetic,
        configuration=the_configuration().model_dump(mode="json"),
        configuration_sha256=the_configuration().digest(),
    )


def on_disc(discs: int = 1, package: str = f"{CYCLE}-p1") -> dict[str, Any]:
    """What makes a hand-over one by disc: `a_cycle().with_(handover=on_disc())`."""
    handed_at = OPENED_AT + timedelta(hours=5)
    handover = r.OnDisc(
        confirmation_number=f"{package}-媒体引渡確認書",
        discs=tuple(
            r.Disc(label=f"{package}-d{number}", image=a_file(f"{package}-d{number}.iso", b"image"))
            for number in range(1, discs + 1)
        ),
        burnt_at="機械室",
        kept_in_safe="本社2階 金庫A",
        notice_kept_in="本社3階 キャビネットB",
        giver="職員 一郎",
        taker="受領 太郎",
        handed_at=handed_at,
        means="手渡し",
        tracking_number="",
        quantity=discs,
        lgwan_copy="送っていない",
        filed_under="26介保第95号",
        entered_by=TANTO,
        entered_at=handed_at,
    )
    return {"lgwan": None, "dvd": handover.model_dump()}


def taken_after_delivery(
    cycle: ACycle, number: int = 1, *, envelopes: int = 1, **changes: Any
) -> DeliveredPulledOut:
    """A notice an envelope, destroyed by the ward."""
    known = {
        "pullout": number,
        "dispatch": cycle[r.CompositionRecord].print_file.sha256,
        "dag_id": "delivered_pull_out",
        "run_id": f"manual__after{number}",
        "notices": envelopes,
        "by_reason": {"death": envelopes},
        "envelopes": envelopes,
        "opened": 0,
        "lots": [{"lot_no": 1, "envelopes": envelopes}],
        "list_file": a_file(f"delivered-pullout-{number}.csv"),
        "destroyed": {
            "sheets": envelopes,
            "method": "shredding",
            "destroyed_at": OPENED_AT + timedelta(days=1),
            "operator": "担当 一郎",
            "witness": "立会 花子",
        },
        "certificate_number": "",
        "entered_by": TANTO,
        "entered_at": OPENED_AT + timedelta(days=1),
    }
    return DeliveredPulledOut.model_validate(known | changes)


def come_back(discs: int = 1, package: str = f"{CYCLE}-p1") -> tuple[r.MediaReturn, r.PassphraseReturn]:
    """返却確認書 of discs and one notice, twenty days after the opening."""
    returned_at = OPENED_AT + timedelta(days=20)
    both: dict[str, Any] = {
        "package": package,
        "returned_at": returned_at,
        "giver": "印刷 次郎",
        "taker": "石川 恵",
        "filed_under": "26介保第96号",
        "entered_by": TANTO,
        "entered_at": returned_at,
    }
    return (
        r.MediaReturn(
            confirmation_number=f"{package}-媒体返却確認書", contents="DVD-R", quantity=discs, **both
        ),
        r.PassphraseReturn(
            confirmation_number=f"{package}-パスワード返却確認書",
            contents="パスワード通知書",
            quantity=1,
            **both,
        ),
    )


def a_rule(**changes: Any) -> r.RuleOutcome:
    """A rule that forty rows kept."""
    known: dict[str, Any] = {
        "rule": "N01",
        "sentence_ja": "通知書番号は11桁の数字である",
        "severity": "error",
        "requirement": "R5",
        "checked": 40,
        "broken": 0,
        "allowed": 0,
    }
    return r.RuleOutcome(**(known | changes))


def a_decision(
    what: r.DecisionKind = r.DecisionKind.REDO, *, supersedes: str, stage: str = "extraction"
) -> r.Decision:
    return r.Decision(
        decision=what, supersedes=supersedes, stage=stage, reason_code="data_error", decided_by=TANTO
    )


def an_event(number: int = 1) -> r.AnswerRefused:
    """A fact of which any number may be noted."""
    return r.AnswerRefused(form=f"form_{number}", answered_by=TANTO, reason_ja="数量が一致しません。")


def _changed(record: R, changes: dict[str, Any]) -> R:
    return type(record).model_validate(record.model_dump() | changes)


# ---- an officer's answer


def an_answer(
    option: str, by: Person = TANTO, at: datetime = OPENED_AT + timedelta(days=30), **fields: str | None
) -> Answer:
    return Answer(option=option, fields=fields, by=by, at=at)


# ---- a contractor


@dataclass(frozen=True)
class AContractor:
    """A firm with a signing key, and the list on which the ward keeps it."""

    key: SigningKey
    name: str = CONTRACTOR
    others: tuple["AContractor", ...] = field(default=())

    @property
    def allowed(self) -> AllowedSigners:
        lines = [
            f'{firm.name} namespaces="{m.MESSAGE_NAMESPACE}" {firm.key.public_line}\n'
            for firm in (self, *self.others)
        ]
        return AllowedSigners.parse("".join(lines))

    def signs(self, content: bytes, *, namespace: str = m.MESSAGE_NAMESPACE) -> bytes:
        return self.key.sign(content, namespace=namespace).encode()


def a_contractor(name: str = CONTRACTOR, *, beside: Iterable[AContractor] = ()) -> AContractor:
    return AContractor(SigningKey(Ed25519PrivateKey.generate()), name, tuple(beside))


def a_key_file(path: Path) -> Path:
    """A new signing key as `ssh-keygen -t ed25519 -N ''` would leave it."""
    private = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as target:
        target.write(private)
    return path


# ---- a contractor's messages, as they answer a cycle truly


def a_receipt(cycle: ACycle, **changes: Any) -> m.Receipt:
    known: dict[str, Any] = {
        "cycle": cycle.id,
        "manifest_sha256": cycle[r.EncryptionRecord].manifest_sha256,
        "files": {file.name: file.sha256 for file in cycle[r.HandoverRecord].files},
        "received_at": OPENED_AT + timedelta(hours=2),
        "received_by": "受領 太郎",
    }
    return m.Receipt(**(known | changes))


def a_content_receipt(cycle: ACycle, *, total_yen: int = 2_345_600, **changes: Any) -> m.ContentReceipt:
    composition = cycle[r.CompositionRecord]
    known: dict[str, Any] = {
        "cycle": cycle.id,
        "manifest_sha256": cycle[r.EncryptionRecord].manifest_sha256,
        "print_file_sha256": composition.print_file.sha256,
        "quantities": composition.quantities,
        "totals_yen": {"決定年額": total_yen, "普通徴収額": total_yen},
        "unreadable_characters": 0,
        "opened_at": OPENED_AT + timedelta(hours=3),
        "opened_by": "開封 三郎",
    }
    return m.ContentReceipt(**(known | changes))


def a_print_line(cycle: ACycle, **changes: Any) -> m.PrintLogLine:
    composition = cycle[r.CompositionRecord]
    known: dict[str, Any] = {
        "source_computer": "PRINT-01",
        "printed_at": OPENED_AT + timedelta(days=1),
        "print_file": composition.print_file.name,
        "printer": "LP-1",
        "sheets": composition.quantities.sheets,
        "purpose": "planned",
    }
    return m.PrintLogLine(**(known | changes))


def a_print_log(cycle: ACycle, *lines: m.PrintLogLine, **changes: Any) -> m.PrintLog:
    known: dict[str, Any] = {
        "cycle": cycle.id,
        "manifest_sha256": cycle[r.EncryptionRecord].manifest_sha256,
        "lines": lines or (a_print_line(cycle),),
    }
    return m.PrintLog(**(known | changes))


def a_delivery_report(cycle: ACycle, **changes: Any) -> m.DeliveryReport:
    known: dict[str, Any] = {
        "cycle": cycle.id,
        "manifest_sha256": cycle[r.EncryptionRecord].manifest_sha256,
        "lots": (m.Lot(lot="1", envelopes=cycle[r.CompositionRecord].quantities.envelopes),),
        "sheets_spoiled": 0,
        "place": "区役所 本庁舎 文書集配室",
        "delivering_party": "乙",
        "delivered_at": OPENED_AT + timedelta(days=2),
        "delivered_by": "配達 次郎",
    }
    return m.DeliveryReport(**(known | changes))


def an_erased_copy(digest: str, **changes: Any) -> m.ErasedCopy:
    known: dict[str, Any] = {
        "place": "PRINT-01",
        "carrier": "パソコン",
        "file_sha256": digest,
        "method": "purge",
        "tool": "nvme format",
        "serial_number": "SN-0001",
        "started_at": changes.get("erased_at", OPENED_AT + timedelta(days=5)) - timedelta(minutes=10),
        "erased_at": OPENED_AT + timedelta(days=5),
        "operator": "消去 四郎",
        "witness": "立会 五郎",
    }
    return m.ErasedCopy(**(known | changes))


def every_copy_erased(cycle: ACycle, **changes: Any) -> tuple[m.ErasedCopy, ...]:
    """What a contractor over LGWAN holds: the package on its host and on its PC, and the opened print file."""
    package, opened = (
        cycle[r.EncryptionRecord].files[0].sha256,
        cycle[r.CompositionRecord].print_file.sha256,
    )
    return (
        an_erased_copy(package, **{"carrier": "サーバー", "place": "受け口", **changes}),
        an_erased_copy(package, **changes),
        an_erased_copy(opened, **changes),
    )


def an_erasure_report(cycle: ACycle, *copies: m.ErasedCopy, **changes: Any) -> m.ErasureReport:
    encryption, composition = cycle[r.EncryptionRecord], cycle[r.CompositionRecord]
    known: dict[str, Any] = {
        "cycle": cycle.id,
        "manifest_sha256": encryption.manifest_sha256,
        "notices": composition.quantities.notices,
        "copies": copies or every_copy_erased(cycle),
        "backups": "控えなし",
    }
    return m.ErasureReport(**(known | changes))


def an_erasure_certificate(cycle: ACycle, report: m.ErasureReport, **changes: Any) -> m.ErasureCertificate:
    known: dict[str, Any] = {
        "cycle": cycle.id,
        "manifest_sha256": cycle[r.EncryptionRecord].manifest_sha256,
        "certificate_number": "消-26-001",
        "report_sha256": sha256(report.content()),
        "addressed_to": ("甲",),
        "certified_at": OPENED_AT + timedelta(days=6),
        "responsible_person": "責任 六郎",
    }
    return m.ErasureCertificate(**(known | changes))


def a_delivery_confirmation(report: m.DeliveryReport, *, at: datetime) -> r.DeliveryConfirmationRecord:
    """納品確認書 about a reported delivery of eleven envelopes."""
    return r.DeliveryConfirmationRecord(
        confirmation_number="1",
        delivered_at=report.delivered_at,
        handler="担当",
        contents="納入通知書",
        quantity=11,
        party=CONTRACTOR,
        deliverer="見本 一郎",
        entered_by=Person(user_id="tanto", name="担当"),
        entered_at=at,
    )
