"""Judging erasure reports and certificates: every copy of the copy ledger, each well erased, after delivery, certified.

From the contractor and from each subcontractor that was given the data. Everything that is missing or wrong is told
at once. Who was on that day's roster is judged by the gates before the closing: it was so, or it was not, and no
better report can mend it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from notice_cycle.catalogue import Configuration
from notice_cycle.copies import Erased, copies_of
from notice_cycle.copies.told import had_files
from notice_cycle.erasure.methods import METHODS_JA
from notice_cycle.errors import Refused
from notice_cycle.exchange.door import Admitted
from notice_cycle.exchange.messages import ErasedCopy, ErasureCertificate, ErasureReport
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.records import (
    CompositionRecord,
    ContentReceiptRecord,
    DeliveryConfirmationRecord,
    EncryptionRecord,
    ErasureRecord,
    PackageBeyond,
    PartyErasure,
)
from notice_cycle.values import Digest

_ASK = "委託先に確認して正しい届出を置き直してもらい、その後、待機のタスクからクリアして再実行してください。"


@dataclass(frozen=True)
class Proof:
    """What one party handed in: report and certificate with their digests."""

    party: str
    signed_by: str
    report: ErasureReport
    report_sha256: str
    certificate: ErasureCertificate
    certificate_sha256: str


def parties_that_erase(history: CycleHistory) -> list[str]:
    """Who has to hand in a report: 乙, and each 丙 that was given a file."""
    return [_configuration(history).party.id, *had_files(history)]


def proofs_of(
    history: CycleHistory,
    reports: Sequence[Admitted[ErasureReport]],
    certificates: Sequence[Admitted[ErasureCertificate]],
    name_of: Callable[[str], str] = str,
) -> list[Proof]:
    """Report and certificate of each party, side by side. Raises Refused naming whose is not there yet."""
    by_party = {one.party: one for one in certificates}
    proofs = [
        Proof(
            party=report.party,
            signed_by=report.signed_by,
            report=report.message,
            report_sha256=report.sha256,
            certificate=by_party[report.party].message,
            certificate_sha256=by_party[report.party].sha256,
        )
        for report in reports
        if report.party in by_party
    ]
    require_all(history, [proof.party for proof in proofs], name_of)
    return proofs


def require_all(history: CycleHistory, handed_in: Sequence[str], name_of: Callable[[str], str]) -> None:
    """Raises Refused naming who has not handed in anything yet."""
    if absent := [name_of(party) for party in parties_that_erase(history) if party not in handed_in]:
        raise Refused(
            f"消去報告書と消去証明書がまだ届いていない事業者があります（{'、'.join(absent)}）。",
            advice="届いた分はそのまま残しています。提出を求め、届いたら待機のタスクからクリアしてください。",
        )


def verify_erasure(
    history: CycleHistory,
    proofs: Sequence[Proof],
    *,
    left: Mapping[str, Digest],
    beyond: Sequence[PackageBeyond] = (),
    name_of: Callable[[str], str] = str,
) -> ErasureRecord:
    """The record over every party's proof, the contractor's first. Raises Refused with everything that is wrong.

    `left`: every package that ever left the ward, by name and digest.
    """
    contractor = _configuration(history).party.id
    by_party = {proof.party: proof for proof in proofs}
    require_all(history, list(by_party), name_of)
    wrong: list[str] = []
    for proof in proofs:
        whose = "" if proof.party == contractor else f"{name_of(proof.party)}の"
        wrong += [f"{whose}{sentence}" for sentence in _wrong_with(proof, history, left, beyond)]
    if wrong:
        raise Refused(_told(wrong), advice=_ASK)
    own = by_party[contractor]
    return ErasureRecord(
        report_sha256=own.report_sha256,
        certificate_sha256=own.certificate_sha256,
        certificate_number=own.certificate.certificate_number,
        signed_by=own.signed_by,
        copies_erased=sum(len(proof.report.copies) for proof in proofs),
        notices=own.report.notices,
        erased_at=max(copy.erased_at for proof in proofs for copy in proof.report.copies),
        parties=tuple(_kept(proof) for proof in sorted(proofs, key=lambda one: one.party != contractor)),
    )


def _told(wrong: Sequence[str]) -> str:
    if len(wrong) == 1:
        return wrong[0]
    numbered = "".join(f"（{number}）{sentence}" for number, sentence in enumerate(wrong, start=1))
    return f"消去の届出に、足りないものまたは誤りが{len(wrong)}件あります。{numbered}"


def _wrong_with(
    proof: Proof, history: CycleHistory, left: Mapping[str, Digest], beyond: Sequence[PackageBeyond]
) -> Iterator[str]:
    report, certificate, contractor = proof.report, proof.certificate, _configuration(history).party.id
    manifest = history.latest(EncryptionRecord).manifest_sha256
    if {report.manifest_sha256, certificate.manifest_sha256} != {manifest}:
        yield "消去報告書または消去証明書が、別のパッケージについてのものです。"
    yield from _missing(proof, history, left, beyond)
    planned = history.latest(CompositionRecord).quantities.notices
    if report.notices != planned if proof.party == contractor else not 0 < report.notices <= planned:
        yield f"消去報告書の件数が一致しません（引渡し {planned:,}件、消去 {report.notices:,}件）。"
    yield from _wrong_copies(report.copies, history)
    if not report.backups.strip():
        yield "消去報告書に、バックアップについての記載がありません。"
    if certificate.report_sha256 != proof.report_sha256:
        yield "消去証明書が、届いた消去報告書についてのものではありません。"
    if certificate.certified_at < max(copy.erased_at for copy in report.copies):
        yield "消去証明書の証明の日時が、最後の消去より前です。"
    wanted = {"甲"} if proof.party == contractor else {"甲", "乙"}
    if missing := sorted(wanted - set(certificate.addressed_to)):
        yield f"消去証明書のあて先に{'と'.join(missing)}がありません。"


def _missing(
    proof: Proof, history: CycleHistory, left: Mapping[str, Digest], beyond: Sequence[PackageBeyond]
) -> Iterator[str]:
    """What the party held and does not report. Discs and paper are counted back or destroyed, not reported here."""
    contractor = _configuration(history).party.id
    reported = {copy.file_sha256 for copy in proof.report.copies}
    if proof.party == contractor:
        receipts = history.ever_with_pullouts(ContentReceiptRecord)
        opened = {one.print_file_sha256: "開いた印字データ" for one in receipts}
        held = opened | {digest: f"暗号化された印字データ {name}" for name, digest in left.items()}
        if unreported := [name for digest, name in held.items() if digest not in reported]:
            yield f"消去報告書に、{'と'.join(unreported)}の消去がありません。"
    told = {proof.party: [_erased(copy) for copy in proof.report.copies]}
    for copy in copies_of(history, beyond=beyond, erased=told):
        is_reported_here = copy.party == proof.party and copy.carrier not in {"DVD", "紙"}
        if is_reported_here and copy.is_open and copy.sha256 in reported:
            where = f"{copy.carrier}（{copy.place or '場所の届出なし'}）"
            yield f"消去報告書に、{where}にある{copy.what}の消去がありません。"
        elif is_reported_here and copy.is_open and proof.party != contractor:
            yield f"消去報告書に、{copy.what}の消去がありません。"


def _wrong_copies(copies: Sequence[ErasedCopy], history: CycleHistory) -> Iterator[str]:
    methods = _configuration(history).erasure
    # Of a dispatch given up after it left nothing is delivered: everything may go at once.
    delivered_at = None if history.recalled else history.latest(DeliveryConfirmationRecord).delivered_at
    # A replaced package may go at any time; what was printed from stays until the goods are delivered.
    printed_from = {
        history.latest(CompositionRecord).print_file.sha256,
        history.latest(EncryptionRecord).files[0].sha256,
    }
    for number, copy in enumerate(copies, start=1):
        if not methods.is_enough(copy.carrier, copy.method):
            yield f"{number}件目の消去の方法（{METHODS_JA[copy.method]} {copy.method}）は、{copy.carrier}には認められません。"
        if copy.started_at > copy.erased_at:
            yield f"{number}件目の消去の開始が、終了より後です。"
        if blank := [
            title
            for title, text in (
                ("製造番号", copy.serial_number),
                ("消去の道具", copy.tool),
                ("場所", copy.place),
            )
            if not text.strip()
        ]:
            yield f"{number}件目の{'・'.join(blank)}が空白です。"
        if "".join(copy.operator.split()) == "".join(copy.witness.split()):
            yield f"{number}件目の立会人が、消去した者と同じです。"
    if delivered_at and any(
        copy.erased_at < delivered_at and copy.file_sha256 in printed_from for copy in copies
    ):
        yield "納品より前に消去されたことになっています。"


def _kept(proof: Proof) -> PartyErasure:
    certificate = proof.certificate
    return PartyErasure(
        party=proof.party,
        signed_by=proof.signed_by,
        report_sha256=proof.report_sha256,
        certificate_sha256=proof.certificate_sha256,
        certificate_number=certificate.certificate_number,
        addressed_to=certificate.addressed_to,
        certified_at=certificate.certified_at,
        responsible_person=certificate.responsible_person,
        backups=proof.report.backups,
        copies=tuple(_erased(copy) for copy in proof.report.copies),
    )


def _erased(copy: ErasedCopy) -> Erased:
    return Erased.model_validate(copy.model_dump())


def _configuration(history: CycleHistory) -> Configuration:
    return Configuration.model_validate(history.opening.configuration)
