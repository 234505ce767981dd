"""The door through which a contractor's message enters the inbox: signature, form and dispatch are checked.

Runs where the contractor's host can be reached and no key lies. What does not pass goes to quarantine, whole,
with a reason; what passes is put into the cycle's inbox folder, whole, for the stage that waits for it.
"""

from datetime import datetime, timedelta
from pathlib import Path

from notice_cycle.encryption.sshsig import AllowedSigners, verify
from notice_cycle.errors import Altered, Refused
from notice_cycle.exchange.messages import MESSAGE_NAMESPACE, M, Message
from notice_cycle.values import sha256

QUARANTINE = "quarantine"
_CLOCK_TOLERANCE = timedelta(minutes=15)


def admit(
    content: bytes,
    signature: bytes,
    kind: type[M],
    *,
    cycle: str,
    signer: str,
    allowed: AllowedSigners,
    at: datetime,
) -> M:
    """Checks who signed what for which dispatch, and that nothing is dated after `at`.

    Raises Altered or Refused with a sentence for the ward.
    """
    who = verify(content, signature, namespace=MESSAGE_NAMESPACE, allowed=allowed)
    if who != signer:
        raise Refused(
            f"{kind.label_ja}に署名したのは、この発送回の委託先ではありません。",
            advice="委託先に、登録した鍵で署名し直すよう依頼してください。",
        )
    message = kind.parse(content)
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
    return message


def store(inbox: Path, cycle: str, message: Message, content: bytes, signature: bytes) -> None:
    """Puts an admitted message and its signature into the inbox, each whole or not at all."""
    folder = inbox / cycle
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder / f"{message.file_name()}.sig", signature)
    _write(folder / message.file_name(), content)


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


def put_away(inbox: Path, cycle: str, kind: type[Message]) -> str:
    """Moves an admitted message that a stage refused from the inbox to quarantine. Gives its name there."""
    path = inbox / cycle / kind.file_name()
    signature = path.with_name(path.name + ".sig")
    kept_as = quarantine(inbox, cycle, path.name, path.read_bytes(), signature.read_bytes())
    path.unlink()
    signature.unlink()
    return kept_as


def received(
    inbox: Path,
    cycle: str,
    kind: type[M],
    *,
    sha256_expected: str,
    signer: str,
    allowed: AllowedSigners,
    at: datetime,
) -> tuple[M, str]:
    """An admitted message, checked once more, with its digest. Raises Altered when the inbox was touched."""
    path = inbox / cycle / kind.file_name()
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
    return admit(content, signature, kind, cycle=cycle, signer=signer, allowed=allowed, at=at), sha256(
        content
    )


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)
