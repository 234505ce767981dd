"""What lies where answers come and is no message: told once to a person, with a reason, and never read or touched.

A name may say anything, a resident's name too: outside it is told as `known_name` tells it. What may still be on its
way is left alone: a `.part`, and whatever does not lie there as it lay at the look before.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from notice_cycle.records import Fact
from notice_cycle.replies import find_laid
from notice_cycle.values import FileName, Frozen, known_name, sha256

MOST_TOLD = 50
"""So many at a look: whoever lays down ten thousand does not fill ledger and mailbox."""

Reason = Literal["name", "no_signature", "no_message", "no_file", "outside"]
REASONS_JA: dict[str, str] = {
    "name": "届出の名前の決まりに合わないか、この発送回の委託先・承諾した再委託先の名前ではありません",
    "no_signature": "署名のファイル（.sig）がなく、書面の届出としても登録されていません",
    "no_message": "署名だけがあり、届出の本体がありません",
    "no_file": "通常のファイルではありません（フォルダかリンクです）",
    "outside": "どの発送回のフォルダにも入っていません",
}


class Lying(NamedTuple):
    """Something in a folder as it is: its own name, which is told to nobody."""

    name: str
    size_bytes: int
    is_file: bool


class Stray(Frozen):
    """Something that is no message, and why not."""

    name: FileName
    size_bytes: int
    reason: Reason

    @property
    def sentence_ja(self) -> str:
        """As a mail lists it."""
        return f"・{self.name}（{self.size_bytes:,}バイト）: {REASONS_JA[self.reason]}"


class StraysFound(Fact):
    """届出でないものの着信: what lay in a folder and is no message; `folder` is a package's id or a digest."""

    label_ja = "届出でないものの着信"
    folder: FileName
    found: tuple[Stray, ...]


def find_strays(
    lying: Sequence[Lying],
    signers: Mapping[str, str],
    contractor: str,
    *,
    announced: Collection[str] = (),
    on_paper: Collection[tuple[str, str]] = (),
) -> Iterator[tuple[Lying, Reason]]:
    """What is no message. `announced`: files that enclosures named; `on_paper`: kind and party entered from paper."""
    files = {one.name for one in lying if one.is_file}
    messages = {laid.file: laid for laid in find_laid(files, signers, contractor)}
    for one in lying:
        signed = one.name.removesuffix(".sig")
        if not one.is_file:
            yield one, "no_file"
        elif (
            one.name.endswith(".part") or one.name in announced or (signed != one.name and signed in messages)
        ):
            continue
        elif laid := messages.get(one.name):
            if f"{one.name}.sig" not in files and (laid.kind, signers[laid.signer]) not in on_paper:
                yield one, "no_signature"
        else:
            is_alone = signed != one.name and find_laid([signed], signers, contractor)
            yield one, "no_message" if is_alone else "name"


def untold(
    strays: Sequence[tuple[Lying, Reason]], folder: str, told: Collection[StraysFound]
) -> StraysFound | None:
    """The strays of a folder that nobody was told of yet, None when there is none."""
    where = known_name(folder)
    known = {stray for fact in told if fact.folder == where for stray in fact.found}
    new = (
        Stray(name=known_name(one.name), size_bytes=one.size_bytes, reason=reason) for one, reason in strays
    )
    found = tuple(stray for stray in new if stray not in known)[:MOST_TOLD]
    return StraysFound(folder=where, found=found) if found else None


class Seen:
    """How things lay at the look before: sizes by the digest of place and name, in one small file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._now: dict[str, int] = {}
        try:
            self._before = dict(json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):
            self._before = {}  # the first look, or a file that is none: everything is seen anew

    def is_settled(self, place: str, one: Lying) -> bool:
        """Whether it lies there as it lay before; remembers it for the next look."""
        key = sha256(os.fsencode(f"{place}/{one.name}"))
        self._now[key] = one.size_bytes
        return bool(self._before.get(key) == one.size_bytes)

    def keep(self) -> None:
        """Writes down how things lie now; where nothing lies there is nothing to keep."""
        if not self._now:
            self._path.unlink(missing_ok=True)
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = self._path.with_name(self._path.name + ".partial")
        partial.write_text(json.dumps(self._now))
        partial.replace(self._path)
