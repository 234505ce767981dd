"""Judging the messages that no stage waits for: what is true of this dispatch becomes a fact, the rest is refused.

Refuses what cannot be: another package, a party that the cycle does not know, a file that never left the ward, data
handed on unencrypted, a destruction before anything was printed.
"""

from collections.abc import Iterable, Mapping

from notice_cycle.catalogue import Configuration
from notice_cycle.copies.facts import CopiesDeclared, CopyTransferred, PapersDestroyed, ToldBy
from notice_cycle.errors import Refused
from notice_cycle.exchange.messages import (
    CopyDeclaration,
    DestructionCertificate,
    Message,
    PostingReceipt,
    TransferRecord,
)
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.posting import Posted, can_be_judged, judge_posting
from notice_cycle.records import CompositionRecord, EncryptionRecord, Fact, HandoverRecord

_ASK = "委託先に確かめ、正しい届出を新しい番号のファイルで置くよう依頼してください。"
JUDGED: tuple[type[Message], ...] = (CopyDeclaration, TransferRecord, DestructionCertificate, PostingReceipt)
"""The kinds of message that are judged here."""


def is_too_early(kind: type[Message], history: CycleHistory) -> bool:
    """Whether a message of this kind cannot be judged yet, because what it is compared with is not there."""
    return kind is PostingReceipt and not can_be_judged(history)


def judge_reply(
    message: Message,
    history: CycleHistory,
    *,
    party: str,
    message_sha256: str,
    subcontractors: Iterable[str] = (),
) -> Fact:
    """The fact that keeps a message of `party`. Raises Refused."""
    if message.manifest_sha256 not in {
        one.manifest_sha256 for one in history.ever_with_pullouts(EncryptionRecord)
    }:
        raise Refused(
            f"{message.label_ja}が、この発送回のパッケージについてのものではありません。", advice=_ASK
        )
    told = {"party": party, "message_sha256": message_sha256}
    match message:
        case CopyDeclaration():
            _refuse_unknown_files(history, message.label_ja, [copy.file_sha256 for copy in message.copies])
            return CopiesDeclared(
                **told,
                copies=message.copies,
                declared_at=message.declared_at,
                declared_by=message.declared_by,
            )
        case TransferRecord():
            return _transfer(message, history, told, _parties(history, subcontractors))
        case DestructionCertificate():
            if any(paper.destroyed_at > message.certified_at for paper in message.papers):
                raise Refused("廃棄証明書の証明の日時が、廃棄より前です。", advice=_ASK)
            _refuse_before_handover(history, min(paper.destroyed_at for paper in message.papers))
            known = {(one.party, one.certificate_number) for one in history.facts(PapersDestroyed)}
            if (party, message.certificate_number) in known:
                raise Refused("同じ番号の廃棄証明書が、すでに記録されています。", advice=_ASK)
            return PapersDestroyed(
                **told,
                certificate_number=message.certificate_number,
                papers=message.papers,
                certified_at=message.certified_at,
                responsible_person=message.responsible_person,
            )
        case PostingReceipt():
            return judge_posting(message, history, **told)
        case _:
            raise TypeError(f"{message.kind} is not judged here")


def keeps(history: CycleHistory) -> set[str]:
    """The digests of the messages that facts keep."""
    kept: list[ToldBy] = [
        *history.facts(CopiesDeclared),
        *history.facts(CopyTransferred),
        *history.facts(PapersDestroyed),
    ]
    posted = {one.message_sha256 for one in history.facts(Posted) if one.message_sha256}
    return {one.message_sha256 for one in kept} | posted


def _transfer(
    message: TransferRecord, history: CycleHistory, told: dict[str, str], parties: Mapping[str, str]
) -> CopyTransferred:
    if (to := parties.get(message.taken_by_party)) is None:
        raise Refused(
            "移送記録の相手が、この発送回の委託先でも、承諾した再委託先でもありません。",
            advice="承諾していない者に渡っていれば、違反として受け付けてください。書き誤りなら、登録番号で出し直してもらいます。",
        )
    if to == told["party"]:
        raise Refused(
            "移送記録の相手が、届け出た事業者自身です。",
            advice="渡した側が、受け取った者を書いて届け出てください。",
        )
    if message.carrier != "紙":
        _refuse_unknown_files(history, message.label_ja, [message.file_sha256])
        if not message.encrypted:
            raise Refused(
                "印字データが、暗号化されずに移送されています。",
                advice="違反として受け付け、受け取った側の控えの消去を確かめてください。",
            )
    _refuse_before_handover(history, message.handed_at)
    return CopyTransferred(
        **told,
        to=to,
        carrier=message.carrier,
        file_sha256=message.file_sha256,
        sheets=message.sheets,
        encrypted=message.encrypted,
        means=message.means,
        giver=message.giver,
        taker=message.taker,
        handed_at=message.handed_at,
    )


def _refuse_unknown_files(history: CycleHistory, label_ja: str, digests: list[str]) -> None:
    given = {record.files[0].sha256 for record in history.ever_with_pullouts(EncryptionRecord)}
    given |= {record.print_file.sha256 for record in history.ever_with_pullouts(CompositionRecord)}
    if set(digests) - given:
        raise Refused(
            f"{label_ja}に、この発送回で渡していないファイルがあります。",
            advice="加工した控えなら元のファイルの SHA-256 で届け出るよう、委託先に依頼してください。",
        )


def _refuse_before_handover(history: CycleHistory, at: object) -> None:
    handed = [record.sent_at for record in history.ever(HandoverRecord)]
    if not handed or at < min(handed):  # type: ignore[operator]
        raise Refused("届出の日時が、データの引渡しより前です。", advice=_ASK)


def _parties(history: CycleHistory, subcontractors: Iterable[str]) -> dict[str, str]:
    """The party's id by what a transfer record may call it: its id or its name."""
    configuration, consented = (
        Configuration.model_validate(history.opening.configuration),
        set(subcontractors),
    )
    known = {configuration.party.id: configuration.party.name_ja}
    known |= {sub.id: sub.name_ja for sub in configuration.subcontractors if sub.id in consented}
    return {party: party for party in known} | {name: party for party, name in known.items()}
