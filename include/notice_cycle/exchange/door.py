"""The door through which a contractor's message enters the inbox: size, signature, form and dispatch are checked.

Runs where the contractor's host can be reached and no key lies. What does not pass goes to quarantine, whole
(or its first mebibyte, when it is larger than any message), with a reason; what passes is put into the cycle's
inbox folder, whole, for the stage that waits for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Generic, Protocol

from notice_cycle.encryption.sshsig import AllowedSigners, verify
from notice_cycle.errors import Altered, Refused
from notice_cycle.exchange import csv_form
from notice_cycle.exchange.messages import MAX_MESSAGE_BYTES, MESSAGE_NAMESPACE, Form, M
from notice_cycle.values import Digest, sha256

QUARANTINE = "quarantine"
_CLOCK_TOLERANCE = timedelta(minutes=15)


@dataclass(frozen=True)
class Admitted(Generic[M]):
    """A message that passed the door: its digest, whose it is (the party's id) and under which name it was signed."""

    message: M
    sha256: Digest
    party: str
    signed_by: str


class Paper(Protocol):
    """A message on paper that an officer transcribed (records.PaperReply)."""

    @property
    def message_sha256(self) -> str:
        """The digest of the transcription."""

    @property
    def party(self) -> str:
        """Whose paper it is, by its id."""

    @property
    def document_number(self) -> str:
        """Under which number the paper is filed."""


def admit(
    content: bytes,
    signature: bytes,
    kind: type[M],
    *,
    cycle: str,
    signers: Mapping[str, str],
    contractor: str,
    allowed: AllowedSigners,
    at: datetime,
    form: Form = "json",
    on_paper: Paper | None = None,
) -> Admitted[M]:
    """Checks who signed what for which dispatch, and that nothing is dated after `at`.

    `signers`: who may, by the name they sign with, and which party that is; `contractor`: the id of 乙 among them.
    `on_paper`: an officer has entered that exactly these bytes were transcribed from a party's paper; no signature.
    Raises Altered or Refused with a sentence for the ward.
    """
    if len(content) > MAX_MESSAGE_BYTES:
        raise Refused(
            f"{kind.label_ja}が大きすぎます（上限1MiB）。先頭だけを隔離しました。",
            advice="委託先に、届出だけを置き直すよう依頼してください。",
        )
    if on_paper:
        signed_by, party = f"書面 {on_paper.document_number}", _of_paper(on_paper, content, signers)
    else:
        signed_by = verify(content, signature, namespace=MESSAGE_NAMESPACE, allowed=allowed)
        party = signers.get(signed_by)
    if party is None:
        raise Refused(
            f"{kind.label_ja}に署名したのは、この発送回の委託先でも、承諾した再委託先でもありません。",
            advice="委託先に、登録した鍵で署名し直すよう依頼してください。再委託先のものなら、登録簿の承諾とファイル名を確かめてください。",
        )
    if kind.contractor_only and party != contractor:
        raise Refused(
            f"{kind.label_ja}は、委託先（乙）だけが出せる届出です。",
            advice="委託先に、自社の名義で出し直すよう依頼してください。",
        )
    message = csv_form.parse(kind, content) if form == "csv" else kind.parse(content)
    if message.cycle != cycle:
        raise Refused(
            f"{kind.label_ja}は別の発送回（{message.cycle}）のものです。",
            advice="委託先に、この発送回の届出を置くよう依頼してください。",
        )
    if any(moment > at + _CLOCK_TOLERANCE for moment in message.moments()):
        raise Refused(
            f"{kind.label_ja}に未来の日時があります。",
            advice="委託先に、パソコンの時計を合わせ、実際の日時で作り直すよう依頼してください。",
        )
    return Admitted(message, sha256(content), party, signed_by)


def _of_paper(paper: Paper, content: bytes, signers: Mapping[str, str]) -> str | None:
    if sha256(content) != paper.message_sha256:
        raise Altered(
            "書面から転記した届出が、登録した時の内容と異なります。",
            advice="転記したファイルを確かめ、書式「書面の届出」で登録し直してください。",
        )
    return paper.party if paper.party in signers.values() else None


def form_of(name: str) -> Form:
    """How a file says that it is written down."""
    return "csv" if name.endswith(".csv") else "json"


def store(inbox: Path, cycle: str, name: str, content: bytes, signature: bytes) -> None:
    """Puts an admitted message and its signature into the inbox under a name, each whole or not at all."""
    folder = inbox / cycle
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder / f"{name}.sig", signature)
    _write(folder / name, content)


def quarantine(inbox: Path, cycle: str, name: str, content: bytes, signature: bytes) -> str:
    """Keeps what was turned away, under its digest; the same bytes twice make one file. Gives the name."""
    folder = inbox / QUARANTINE / cycle
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept_as = quarantine_name(name, content, signature)
    _write(folder / kept_as, content)
    _write(folder / f"{kept_as}.sig", signature)
    return kept_as


def quarantine_name(name: str, content: bytes, signature: bytes) -> str:
    """The name under which a message is kept in quarantine: its digest and its own name."""
    return f"{sha256(content + signature)[:16]}-{name}"


def put_away(inbox: Path, cycle: str, name: str) -> str:
    """Moves an admitted message that no longer counts from the inbox to quarantine. Gives its name there."""
    path = inbox / cycle / name
    signature = path.with_name(path.name + ".sig")
    kept_as = quarantine(inbox, cycle, path.name, path.read_bytes(), signature.read_bytes())
    path.unlink()
    signature.unlink()
    return kept_as


def received(
    inbox: Path,
    cycle: str,
    kind: type[M],
    name: str,
    *,
    sha256_expected: str,
    signers: Mapping[str, str],
    contractor: str,
    allowed: AllowedSigners,
    at: datetime,
    on_paper: Paper | None = None,
) -> Admitted[M]:
    """An admitted message, checked once more. Raises Altered when the inbox was touched."""
    path = inbox / cycle / name
    try:
        content, signature = path.read_bytes(), path.with_name(path.name + ".sig").read_bytes()
    except FileNotFoundError:
        raise Altered(
            f"受信箱に{kind.label_ja}がありません。", advice="待機のタスクから再実行してください。"
        ) from None
    if sha256(content) != sha256_expected:
        raise Altered(
            f"受信箱の{kind.label_ja}が、受理した時の内容と異なります。",
            advice="受信箱に触れた者がいないか確認し、待機のタスクから再実行してください。",
        )
    return admit(
        content,
        signature,
        kind,
        cycle=cycle,
        signers=signers,
        contractor=contractor,
        allowed=allowed,
        at=at,
        form=form_of(name),
        on_paper=on_paper,
    )


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)
