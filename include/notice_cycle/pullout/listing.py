"""Reading the officer's list of letters to pull out, and finding each in the dispatch.

The list is a small CSV file that the officer puts into a folder of its own, 引抜き受付フォルダ: no form holds a number of
an insured person, because the web UI's history keeps every answer. It is copied into the vault and told by line
numbers and counts only. Refuses a list of which one line is not in the dispatch, or is in an earlier request.
"""

import csv
import io
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
from pyarrow import ipc

from notice_cycle.catalogue import Configuration
from notice_cycle.errors import NotThereYet, Refused
from notice_cycle.exchange.package import marking
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.pullout.facts import REASONS_JA, LotEmptied, PulloutRequested, Purpose
from notice_cycle.pullout.folded import State, pullouts
from notice_cycle.pullout.rules import configuration_of_list
from notice_cycle.records import CompositionRecord, Quantities
from notice_cycle.values import Person, StoredFile
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import DISPATCH_INDEX, pullout_list

REASON = "理由"
MAX_BYTES, MAX_LINES = 1024 * 1024, 5_000
_ENCODINGS = {"cp932-windows": "cp932", "utf-8": "utf-8"}
_NUMBER = re.compile(r"[0-9A-Za-z-]{1,20}")
_TOLD = 10
_AGAIN = "一覧を直して同じ名前で置き直し、もう一度開始してください。"


@dataclass(frozen=True)
class Wanted:
    """One line of the list: the number by which a letter is asked for, and why."""

    line: int
    number: str
    reason: str


@dataclass(frozen=True)
class Letter:
    """A notice as the dispatch index knows it."""

    notice_no: str
    subject: str
    envelope_no: int
    lot_no: int
    position_in_lot: int


# ---- the officer's file


def read_list(desk: Path, cycle: str, *, by_notice: str, by_subject: str) -> tuple[str, list[Wanted]]:
    """Which of the two headings the list has, and its lines. Raises NotThereYet or Refused, naming lines only."""
    headings = (by_notice, by_subject)
    text = _decoded(_bytes(desk / f"{cycle}.csv"))
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = [cell.strip() for cell in next(rows, [])]
        if head not in [[heading, REASON] for heading in headings]:
            raise Refused(
                f"一覧の1行目が「{by_notice},{REASON}」または「{by_subject},{REASON}」ではありません。",
                advice=_AGAIN,
            )
        wanted = [_wanted(rows.line_num, row) for row in rows if any(cell.strip() for cell in row)]
    except csv.Error:
        raise Refused(f"一覧の{rows.line_num}行目を CSV として読めません。", advice=_AGAIN) from None
    if not 0 < len(wanted) <= MAX_LINES:
        raise Refused(
            f"一覧の件数は1件から{MAX_LINES:,}件までです（{len(wanted):,}件）。",
            advice=f"{_AGAIN}多すぎるときは「引渡し後の取下げ」を検討してください。",
        )
    seen: set[str] = set()
    twice = [one.line for one in wanted if one.number in seen or seen.add(one.number)]  # type: ignore[func-returns-value]
    if twice:
        raise Refused(f"一覧に同じ番号が二度あります（{_lines(twice)}）。", advice=_AGAIN)
    return head[0], wanted


def _bytes(path: Path) -> bytes:
    try:
        with open(path, "rb", opener=_plainly) as source:
            is_plain = stat.S_ISREG(os.fstat(source.fileno()).st_mode)
            content = source.read(MAX_BYTES + 1) if is_plain else b""
    except FileNotFoundError:
        raise NotThereYet(
            f"引抜きの一覧 {path.name} が、引抜き受付フォルダにまだありません。",
            advice="この名前で置いてください。届くまで自動で待ちます。",
        ) from None
    except OSError:
        raise Refused(
            "引抜きの一覧が、通常のファイルではないか、読めません。",
            advice="引抜き受付フォルダに、リンクではないファイルとして置き直してください。",
        ) from None
    if len(content) > MAX_BYTES:
        raise Refused("引抜きの一覧が大きすぎます（上限1MiB）。", advice=_AGAIN)
    return content


def _plainly(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _decoded(content: bytes) -> str:
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Refused("引抜きの一覧の文字コードが、UTF-8 でも CP932 でもありません。", advice=_AGAIN)


def _wanted(line: int, row: list[str]) -> Wanted:
    codes = {label: code for code, label in REASONS_JA.items()} | {code: code for code in REASONS_JA}
    number, reason, *more = [*(cell.strip() for cell in row), ""]
    if any(more) or not _NUMBER.fullmatch(number) or reason not in codes:
        raise Refused(
            f"一覧の{line}行目が正しくありません（番号の形、または理由）。",
            advice=f"理由は {'・'.join(REASONS_JA.values())} から選びます。{_AGAIN}",
        )
    return Wanted(line, number, codes[reason])


def remove_list(desk: Path, cycle: str) -> bool:
    """Takes the officer's file away once the vault has it; False when the folder is not ours to change."""
    try:
        (desk / f"{cycle}.csv").unlink(missing_ok=True)
    except OSError:
        return False
    return True


# ---- the dispatch


def request_pullout(
    history: CycleHistory,
    configuration: Configuration,
    vault: CycleVault,
    desk: Path,
    *,
    cycle: str,
    number: int,
    purpose: Purpose,
    run: tuple[str, str],
    synthetic: bool,
    by: Person,
    at: datetime,
) -> tuple[PulloutRequested, CompositionRecord]:
    """Reads the list, finds every letter, and leaves the contractor's list in the vault. Raises NotThereYet, Refused.

    `configuration`: the cycle's own. Gives the fact, and the record of the list as of a print file.
    """
    before = [one.request.list_file.name for one in pullouts(history) if one.state != State.CANCELLED]
    taken = take_out(vault, desk, configuration, cycle=cycle, earlier=listed_in(vault, before, configuration))
    name = pullout_list(number)
    list_file = keep_list(vault, name, configuration, taken.letters, cycle=cycle, synthetic=synthetic)
    request = PulloutRequested(
        pullout=number,
        number=f"{cycle}-引抜き{number}",
        purpose=purpose,
        dispatch=history.latest(CompositionRecord).print_file.sha256,
        dag_id=run[0],
        run_id=run[1],
        notices=len(taken.letters),
        by_reason=taken.by_reason,
        envelopes=taken.envelopes,
        opened=taken.opened,
        lots=taken.lots,
        list_file=list_file,
        requested_by=by,
        requested_at=at,
    )
    return request, _as_print_file(taken, list_file, configuration_of_list(configuration))


@dataclass(frozen=True)
class TakenOut:
    """The letters that a list names, as they lie; `envelopes` disappear with them, `opened` stay with a notice less."""

    letters: tuple[Letter, ...]
    by_reason: dict[str, int]
    lots: tuple[LotEmptied, ...]
    opened: int

    @property
    def envelopes(self) -> int:
        """How many disappear."""
        return sum(lot.envelopes for lot in self.lots)


def take_out(
    vault: CycleVault,
    desk: Path,
    configuration: Configuration,
    *,
    cycle: str,
    earlier: set[str],
    uncertain: frozenset[str] = frozenset(),
) -> TakenOut:
    """Finds every letter of the officer's list. Raises NotThereYet, Refused.

    `earlier`: notices that were taken out before and may not be named again; `uncertain`: those of which nobody knows.
    """
    listing, subject = configuration_of_list(configuration), configuration.notice.subject
    by_notice, by_subject = (listing.heading_of(item) for item in ("notice_no", subject))
    heading, wanted = read_list(desk, cycle, by_notice=by_notice, by_subject=by_subject)
    letters = list(_letters(vault, subject))
    chosen, by_reason = _chosen(letters, wanted, earlier, is_notice=heading == by_notice)
    named = {one.notice_no for one in chosen}
    before = (earlier | uncertain) - named
    gone = _emptied(letters, before | named) - _emptied(letters, before)
    lot_of = {one.envelope_no: one.lot_no for one in letters}
    lots = Counter(lot_of[envelope] for envelope in gone)
    return TakenOut(
        letters=tuple(chosen),
        by_reason=dict(sorted(by_reason.items())),
        lots=tuple(LotEmptied(lot_no=lot, envelopes=count) for lot, count in sorted(lots.items())),
        opened=len({one.envelope_no for one in chosen} - gone),
    )


def listed_in(vault: CycleVault, names: Iterable[str], configuration: Configuration) -> set[str]:
    """The notices that lists in the vault name."""
    layout = configuration_of_list(configuration).layout
    place = next(at for at, column in enumerate(layout.columns) if column.item == "notice_no")
    found: set[str] = set()
    for name in names:
        with vault.reading(name) as source:
            text = source.read().decode(_ENCODINGS[layout.charset])
        found.update(row[place] for row in list(csv.reader(io.StringIO(text, newline="")))[1:])
    return found


def keep_list(
    vault: CycleVault,
    name: str,
    configuration: Configuration,
    chosen: Sequence[Letter],
    *,
    cycle: str,
    synthetic: bool,
) -> StoredFile:
    """Leaves the letters in the vault, in the form in which a contractor gets them."""
    listing = configuration_of_list(configuration)
    constants = {"data_kind": marking(synthetic=synthetic), "cycle": cycle}
    text = io.StringIO(newline="")
    rows = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    rows.writerow([column.heading_ja for column in listing.layout.columns])
    for letter in chosen:
        known = constants | vars(letter) | {listing.notice.subject: letter.subject}
        rows.writerow([known[column.item] for column in listing.layout.columns])
    with vault.writing(name) as artefact:
        artefact.buffer.write(text.getvalue().encode(_ENCODINGS[listing.layout.charset]))
    return artefact.stored


def _letters(vault: CycleVault, subject: str) -> Iterator[Letter]:
    with (
        vault.reading(DISPATCH_INDEX) as source,
        ipc.open_stream(pa.PythonFile(source, mode="r")) as stream,
    ):
        for batch in stream:
            for row in batch.to_pylist():
                yield Letter(
                    row["notice_no"],
                    row[subject],
                    row["envelope_no"],
                    row["lot_no"],
                    row["position_in_lot"],
                )


def _chosen(
    letters: Sequence[Letter], wanted: Sequence[Wanted], earlier: set[str], *, is_notice: bool
) -> tuple[list[Letter], Counter[str]]:
    """The letters that are asked for, as they lie, and how many for each reason."""
    by_number: dict[str, list[Letter]] = {}
    for letter in letters:
        by_number.setdefault(letter.notice_no if is_notice else letter.subject, []).append(letter)
    if unknown := [one.line for one in wanted if one.number not in by_number]:
        raise Refused(
            f"一覧に、この発送回にない番号があります（{_lines(unknown)}）。",
            advice=f"番号と発送回を確かめてください。{_AGAIN}",
        )
    if again := [
        one.line for one in wanted if any(letter.notice_no in earlier for letter in by_number[one.number])
    ]:
        raise Refused(
            f"一覧に、先の依頼で抜き取ったものがあります（{_lines(again)}）。",
            advice=f"その行を除いてください。{_AGAIN}",
        )
    reasons: Counter[str] = Counter()
    chosen = []
    for one in wanted:
        chosen += by_number[one.number]
        reasons[one.reason] += len(by_number[one.number])
    return sorted(chosen, key=lambda letter: (letter.envelope_no, letter.notice_no)), reasons


def _emptied(letters: Iterable[Letter], taken: set[str]) -> set[int]:
    """The envelopes of which every notice is taken out."""
    inside, out = Counter[int](), Counter[int]()
    for letter in letters:
        inside[letter.envelope_no] += 1
        out[letter.envelope_no] += letter.notice_no in taken
    return {envelope for envelope, count in inside.items() if out[envelope] == count}


def _as_print_file(taken: TakenOut, list_file: StoredFile, listing: Configuration) -> CompositionRecord:
    return CompositionRecord(
        quantities=Quantities(
            persons=len({letter.subject for letter in taken.letters}),
            notices=len(taken.letters),
            envelopes=taken.envelopes + taken.opened,
            sheets=len(taken.letters),
        ),
        totals={},
        layout=listing.layout.id,
        charset=listing.layout.charset,
        print_file=list_file,
        variants={},
        lots=(),
        excluded={},
        corrected=0,
        unknown_differences=0,
        ambiguous=0,
        replaced_characters={},
        without_customer_barcode=0,
    )


def _lines(numbers: Sequence[int]) -> str:
    told = "、".join(f"{number}行目" for number in numbers[:_TOLD])
    return told + (f"など{len(numbers):,}件" if len(numbers) > _TOLD else "")
