"""A hundred thousand hostile inputs against everything that reads what a contractor sends.

    python -m bench.fuzz --inputs 100000 --seed 1

Seeded, so that a run can be repeated input by input. Each input must end, soon, in a message that was understood or
in a refusal of ours; any other exception is a crash. What was signed and then altered must never be accepted.
"""

import argparse
import base64
import io
import json
import random
import signal
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contractor_kit.templates import template
from notice_cycle.encryption.sshsig import AllowedSigners, SigningKey, verify
from notice_cycle.errors import Refused
from notice_cycle.exchange import csv_form, door
from notice_cycle.exchange.enclosures import container_of
from notice_cycle.exchange.messages import MESSAGE_NAMESPACE, MESSAGES
from notice_cycle.exchange.package import MANIFEST_NAMESPACE, Manifest, PrintColumn, PrintFormat
from notice_cycle.records import Quantities
from notice_cycle.replies import find_laid
from notice_cycle.values import StoredFile

CONTRACTOR, CYCLE = "example_print", "2026-premium_notice_ordinary-annual-01"
SECONDS_MOST = 2.0
"""No input may take longer: it is interrupted, and counted as a hang."""

_AT = datetime(2026, 11, 1, tzinfo=UTC)
_KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
_OTHER = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
_ALLOWED = AllowedSigners.parse(f"{CONTRACTOR} {_KEY.public_line}\nward {_OTHER.public_line}\n")
_TOKENS = (
    b"{", b"}", b"[" * 3_000, b"]", b'"', b",", b":", b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"9" * 5_000,
    b"-1", b"0.5", b"\\ud800", b"\\u0000", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"=cmd|' /C calc'!A0", b"../", b"\r\n",
    "届出".encode("cp932"), "𠮷".encode(), b'"cycle":', b"PK\x05\x06", b"PK\x03\x04", b"\xff\xff\xff\xff", b"-> ", b"\n--- ",
)  # fmt: skip

_PRINTABLE = tuple(bytes([byte]) for byte in range(0x20, 0x7F))
_SELDOM = 0.25

Rng = random.Random


class Hang(BaseException):
    """An input took too long; no handler of ours may swallow it."""


@dataclass
class Tally:
    """What a run found, target by target."""

    ended: dict[str, Counter[str]] = field(default_factory=dict)
    slowest_seconds: dict[str, float] = field(default_factory=dict)
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    accepted_altered: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing crashed, hung, or came in altered."""
        return not (self.crashes or self.hangs or self.accepted_altered)


def run(inputs: int, seed: int) -> Tally:
    """Tries `inputs` inputs, shared among the targets, and tells what happened to them."""
    tally = Tally()
    for number in range(inputs):
        name, target = _TARGETS[number % len(_TARGETS)]
        where = f"{name} #{number} seed {seed}"
        rng = Rng(f"{seed}/{number}")
        started = time.perf_counter()
        try:
            with _limited():
                outcome = target(rng)
        except Refused:
            outcome = "refused"
        except Hang:
            outcome = "hang"
            tally.hangs.append(where)
        except Exception as crash:
            outcome = "crash"
            tally.crashes.append(f"{where}: {type(crash).__name__}")
        took = time.perf_counter() - started
        if outcome == "ALTERED":
            tally.accepted_altered.append(where)
        tally.ended.setdefault(name, Counter())[outcome] += 1
        tally.slowest_seconds[name] = max(took, tally.slowest_seconds.get(name, 0))
    return tally


@contextmanager
def _limited() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_REAL, SECONDS_MOST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _hang(_signal: int, _frame: object) -> None:
    raise Hang


# ---- inputs


def _mutated(content: bytes, rng: Rng) -> bytes:
    """One to four changes: a bit, bytes, a character, a piece out, twice or elsewhere, a token, an end."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at, to = sorted(rng.randrange(len(content) + 1) for _ in range(2))
        to = min(to, at + 64)
        match rng.randrange(10):
            case 0 if content:
                place = rng.randrange(len(content))
                content = (
                    content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]
                )
            case 1:
                content = content[:at] + rng.randbytes(rng.randint(1, 8)) + content[at:]
            case 2:
                content = content[:at] + content[to:]
            case 3:
                content = content[:at] + content[at:to] * rng.randint(2, 50) + content[to:]
            case 4:
                content = content[:at]
            case 5:
                other = rng.randrange(len(content) + 1)
                content = content[:at] + content[other : other + 64] + content[to:]
            case 6 | 7 if content:  # stays readable: gets further in
                place = rng.randrange(len(content))
                content = content[:place] + rng.choice(_PRINTABLE) + content[place + 1 :]
            case _:
                content = content[:at] + rng.choice(_TOKENS) + content[at:]
    return content


def _message(rng: Rng) -> tuple[str, bytes]:
    kind = rng.choice(sorted(MESSAGES))
    return kind, _JSON[kind]


_JSON = {kind: template(kind).encode() for kind in MESSAGES}
_CSV = {kind: template(kind, form="csv").encode() for kind in MESSAGES}
_SIGNED = {kind: _KEY.sign(content, namespace=MESSAGE_NAMESPACE).encode() for kind, content in _JSON.items()}


# ---- targets: each gives how it ended, "ALTERED" when something came in that must not


def _read_json(rng: Rng) -> str:
    kind, content = _message(rng)
    said = MESSAGES[rng.choice([kind, kind, kind, *MESSAGES])].parse(_mutated(content, rng))
    said.moments()
    said.content()
    return "understood"


def _read_values(rng: Rng) -> str:
    """JSON that is whole, with hostile values in it."""
    kind, content = _message(rng)
    said = json.loads(content)
    place, key = said, rng.choice(list(said))
    while isinstance(place[key], dict | list) and place[key]:
        place = place[key]
        key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
    place[key] = rng.choice(
        [None, True, -1, 0, 10**30, 1.5, "", "=1+1", "＝1", "a" * 300, "\x00", "\ud800", [], {}, [[[]]], "../x", "2026-13-45T99:99:99Z",
         "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"]
    )  # fmt: skip
    MESSAGES[kind].parse(json.dumps(said).encode()).content()
    return "understood"


def _read_csv(rng: Rng) -> str:
    kind = rng.choice(sorted(MESSAGES))
    content = _CSV[kind]
    if rng.random() < _SELDOM:
        content = content.decode().encode("cp932")
    csv_form.parse(MESSAGES[kind], _mutated(content, rng)).content()
    return "understood"


def _alter_signed(rng: Rng) -> str:
    """A signed message, altered: it must not pass the door, whatever was altered."""
    kind, content = _message(rng)
    altered = _mutated(content, rng)
    form = rng.choice(["json", "csv"])
    _admit(kind, altered, _SIGNED[kind], form)
    return "unaltered" if altered == content and form == "json" else "ALTERED"


def _alter_signature(rng: Rng) -> str:
    kind, content = _message(rng)
    signature = _SIGNED[kind]
    if rng.random() < _SELDOM:
        signature = _OTHER.sign(
            content, namespace=rng.choice([MESSAGE_NAMESPACE, MANIFEST_NAMESPACE])
        ).encode()
    altered = _mutated(signature, rng)
    _admit(kind, content, altered, "json")
    # The armor's lines may be broken elsewhere; that is the same signature over the same bytes.
    return (
        "respelled"
        if altered.split() and b"".join(altered.split()) == b"".join(_SIGNED[kind].split())
        else "ALTERED"
    )


def _swap_signatures(rng: Rng) -> str:
    """A sound message under the sound signature of another."""
    (kind, content), (other, _) = _message(rng), _message(rng)
    _admit(kind, content, _SIGNED[other], "json")
    return "unaltered" if kind == other else "ALTERED"


def _admit(kind: str, content: bytes, signature: bytes, form: str) -> None:
    door.admit(
        content,
        signature,
        MESSAGES[kind],
        cycle=CYCLE,
        signers={CONTRACTOR: CONTRACTOR},
        contractor=CONTRACTOR,
        allowed=_ALLOWED,
        at=_AT,
        form="csv" if form == "csv" else "json",
    )


def _read_manifest(rng: Rng) -> str:
    altered = _mutated(_MANIFEST, rng)
    if altered == _MANIFEST:
        return "unaltered"
    try:
        verify(altered, _MANIFEST_SIGNED, namespace=MANIFEST_NAMESPACE, allowed=_ALLOWED)
    except Refused:
        Manifest.parse(altered)
        return "understood, but not as signed"
    return "ALTERED"


def _read_enclosure(rng: Rng) -> str:
    content = _mutated(rng.choice(_ENCLOSED), rng)
    container = container_of(io.BytesIO(content))
    if container == "zip-aes256":
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError):
            return "understood"
        if not all(member.flag_bits & 1 for member in members):
            return "ALTERED"
    return "understood"


def _read_name(rng: Rng) -> str:
    names = [MESSAGES[rng.choice(sorted(MESSAGES))].file_name(number=rng.randint(1, 1_000)) for _ in range(3)]
    mutated = [_mutated(name.encode(), rng).decode("utf-8", "surrogateescape") for name in names]
    for laid in find_laid(mutated, {CONTRACTOR: CONTRACTOR, "example_insert": "example_insert"}, CONTRACTOR):
        if "/" in laid.file or ".." in laid.file or laid.file.startswith("."):
            return "ALTERED"
    return "understood"


_MANIFEST = Manifest(
    marking="架空データ",
    cycle=CYCLE,
    package=f"{CYCLE}-p1",
    notice_ja="納入通知書・普通徴収",
    ward="架空区",
    party_ja="架空印刷株式会社",
    issued_at=_AT,
    encrypted_file=StoredFile(name=f"{CYCLE}-p1.csv.age", size_bytes=31_337, sha256="1" * 64),
    print_file=StoredFile(name="print.csv", size_bytes=31_000, sha256="2" * 64),
    layout="premium_notice_ordinary-2",
    charset="cp932-windows",
    print_format=PrintFormat(format="csv", trailer=True, columns=(PrintColumn(heading="データ区分"),)),
    subject_heading="被保険者番号",
    agreed_characters=(),
    quantities=Quantities(persons=100, notices=100, envelopes=98, sheets=100),
    totals_yen={"決定年額": 7_500_000},
).content()
_MANIFEST_SIGNED = _KEY.sign(_MANIFEST, namespace=MANIFEST_NAMESPACE)


# A hundred bytes in age (work factor 2) and in an AES-256 ZIP: written down, because making them takes randomness.
_ENCLOSED = tuple(
    base64.b64decode(text)
    for text in (
        "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBMcFQ2Z1Q2Zy9leWRWVFViRkk3SDV3IDIKSDRVUVdQdlIrQVBQR1ZpWWpN"
        "OVphc1BPZCtWMVJFOHE3US9KMG9SWGh4bwotLS0gYnhGZHZsT1h5RXRBUjdqQVRab1BzSEFJZmRQQ1RNY0FPV2dONzdvTElkNAry"
        "hbBs+4a66KeVXW3nPRheUH8Z1FTly4XuTQ32hPIYi6WdEK+b347KroZ8QXtWD3HcWdgxnkuenWY08LGUmJ+FfDcG4yxCAuVgaNx+"
        "36PLT5VD+Taex1IzT5f4I0RBGjaivjir9XrLHexq6AIZcDlnDvZ42LcKM9Q1irkL4mZvIKqZhP4=",
        "UEsDBBQAAQBjAAAAIQAAAAAAgAAAAGQAAAAMAB8AZW5jbG9zZWQuY3N2AQAQAGQAAAAAAAAAgAAAAAAAAAABmQcAAgBBRQMAAE2e"
        "fnVzQWWQJatMcLCS9gnYzzp9Rs4H26DBgw461l8Xbotl8fSZM96GqrWA5HcmASOnO7xCN/7lIfbTkN3pfIvPDDO4dpQZqnSwvy2K"
        "V2T0W1QM8U9PXnqbuFp9fkFGh8tGRvIFz1TKnmKQXKD8a3vvHNeSPYINh8gs2aM45HC5UEsBAhQDFAABAGMAAAAhAAAAAACAAAAA"
        "ZAAAAAwACwAAAAAAAAAAAIABAAAAAGVuY2xvc2VkLmNzdgGZBwACAEFFAwAAUEsFBgAAAAABAAEARQAAAMkAAAAAAA==",
    )
)

_TARGETS: tuple[tuple[str, Callable[[Rng], str]], ...] = (
    ("message, JSON", _read_json),
    ("message, JSON values", _read_values),
    ("message, CSV", _read_csv),
    ("message, altered after signing", _alter_signed),
    ("signature, altered", _alter_signature),
    ("signature of another message", _swap_signatures),
    ("manifest", _read_manifest),
    ("enclosure, age and ZIP", _read_enclosure),
    ("file name", _read_name),
)


def as_table(tally: Tally) -> str:
    """The figures as a Markdown table."""
    lines = ["| target | inputs | ended as | slowest |", "|---|---|---|---|"]
    for name, _ in _TARGETS:
        ended = tally.ended.get(name, Counter())
        told = ", ".join(f"{outcome} {count:,}" for outcome, count in sorted(ended.items()))
        lines.append(
            f"| {name} | {ended.total():,} | {told} | {tally.slowest_seconds.get(name, 0) * 1000:.0f} ms |"
        )
    return "\n".join(lines)


def main() -> int:
    """The command. Exit status 1 when something crashed, hung or came in altered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    signal.signal(signal.SIGALRM, _hang)
    started = time.perf_counter()
    tally = run(given.inputs, given.seed)
    print(as_table(tally))
    print(
        f"{given.inputs:,} inputs, seed {given.seed}, {time.perf_counter() - started:.0f} s: "
        f"{len(tally.crashes)} crashes, {len(tally.hangs)} hangs, {len(tally.accepted_altered)} altered accepted"
    )
    for found in (*tally.crashes, *tally.hangs, *tally.accepted_altered)[:20]:
        print(found, file=sys.stderr)
    return 0 if tally.is_clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
