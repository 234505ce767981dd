"""The paper of a hand-over: 確認書 of each kind, 盤面ラベル, 送付票, and the 手順書 that lies on the disc.

Numbers, names of staff and firms, counts and digests only. No function here takes a passphrase, and none of these
papers may say one: the only paper that does is the パスワード通知書.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from notice_cycle.documents.typesetting import render
from notice_cycle.encryption.formats import PackageFormat
from notice_cycle.exchange.package import CHECKSUMS, MANIFEST, MANIFEST_NAMESPACE, Manifest, marking
from notice_cycle.handover.media import (
    DECRYPTER,
    DISC_MANIFEST,
    GUIDE_PDF,
    GUIDE_TEXT,
    PACKAGE_FOLDER,
    WARD_SIGNERS,
    volume_of,
)
from notice_cycle.records import Disc


class ConfirmationKind(StrEnum):
    """The five moments at which the ward's staff fill in a 確認書 and the contractor checks it."""

    PASSWORD_OUT = "password_out"  # noqa: S105 - a kind of paper
    MEDIA_OUT = "media_out"
    DELIVERY = "delivery"
    MEDIA_RETURN = "media_return"
    PASSWORD_RETURN = "password_return"  # noqa: S105 - a kind of paper

    @property
    def label_ja(self) -> str:
        """What is confirmed."""
        return _KINDS[self].label_ja


@dataclass(frozen=True)
class _Kind:
    label_ja: str
    medium_ja: str
    places: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    to_ward: bool = False


_KINDS = {
    ConfirmationKind.PASSWORD_OUT: _Kind(
        "パスワードの引渡し",
        "パスワード通知書（紙）",
        places=("保管場所",),
        checks=("データの受渡しとは別の機会である", "保管場所は媒体と別の鍵付きキャビネットである"),
    ),
    ConfirmationKind.MEDIA_OUT: _Kind(
        "媒体の引渡し",
        "DVD-R",
        places=("書き込んだ場所", "保管する金庫"),
        checks=("書き込み後に読み戻し、一致した媒体である", "パスワードは同じ機会に渡していない"),
    ),
    ConfirmationKind.DELIVERY: _Kind(
        "納品", "紙（封入封緘した通知書）", checks=("数量は予定数量と一致した",), to_ward=True
    ),
    ConfirmationKind.MEDIA_RETURN: _Kind(
        "媒体の返却", "DVD-R", checks=("番号と枚数は、渡したものと一致した",), to_ward=True
    ),
    ConfirmationKind.PASSWORD_RETURN: _Kind(
        "パスワード通知書の返却",
        "パスワード通知書（紙）",
        checks=("番号と枚数は、渡したものと一致した", "複写はない"),
        to_ward=True,
    ),
}


@dataclass(frozen=True)
class Parties:
    """The two sides as they sign: the ward with its section, the firm with its own."""

    ward: str
    contractor: str


@dataclass(frozen=True)
class Confirmation:
    """What a 確認書 says. `contents`: what and how many. `places`: in the order the kind asks for them.

    Before the event `occurred_at` is None: date and handlers are then written by hand.
    """

    kind: ConfirmationKind
    number: str
    cycle: str
    notice_ja: str
    parties: Parties
    means_ja: str
    contents: Sequence[tuple[str, str]]
    filing_place: str
    occurred_at: datetime | None = None
    handlers: Sequence[str] = ()
    places: Sequence[str] = field(default=())


def confirmation(paper: Confirmation, *, at: datetime, synthetic: bool, reissue: int = 0) -> bytes:
    """A 確認書 to be signed, as PDF. `at`: when it is printed, where the event is still to come."""
    kind, parties = _KINDS[paper.kind], paper.parties
    giver, taker = (parties.contractor, parties.ward) if kind.to_ward else (parties.ward, parties.contractor)
    places = [*paper.places, *[""] * (len(kind.places) - len(paper.places))]
    facts = {
        "number": paper.number,
        "kind": kind.label_ja,
        "occurred": paper.occurred_at is not None,
        "cycle": paper.cycle,
        "notice": paper.notice_ja,
        "giver": giver,
        "taker": taker,
        "handlers": list(paper.handlers),
        "means": paper.means_ja,
        "medium": kind.medium_ja,
        "contents": _rows(paper.contents),
        "places": [
            {"label": label, "place": place} for label, place in zip(kind.places, places, strict=True)
        ],
        "checks": list(kind.checks),
        "filing_place": paper.filing_place,
    }
    return render("confirmation", facts, at=paper.occurred_at or at, synthetic=synthetic, reissue=reissue)


def disc_label(
    discs: Sequence[Disc], disc: int, manifest: Manifest, *, at: datetime, reissue: int = 0
) -> bytes:
    """盤面ラベル and the paper of the case for disc number `disc` (from 1) of `discs`, as PDF."""
    label, image = discs[disc - 1].label, discs[disc - 1].image
    facts = {
        "number": label,
        "package": manifest.package,
        "disc": disc,
        "discs": len(discs),
        "notice": _notice_ja(manifest),
        "cycle": manifest.cycle,
        "ward": manifest.ward,
        "contractor": manifest.party_ja,
        "volume": volume_of(manifest.package, disc, len(discs)),
        "image_sha256": image.sha256,
        "size": _size(image.size_bytes),
    }
    return render("disc_label", facts, at=at, synthetic=is_synthetic(manifest), reissue=reissue)


def label_number(disc: Disc) -> str:
    """The number of a disc's 盤面ラベル."""
    return f"{disc.label}-盤面ラベル"


def transmittal_number(package: str) -> str:
    """The number of a package's 送付票."""
    return f"{package}-送付票"


def transmittal(
    discs: Sequence[Disc],
    manifest: Manifest,
    form: PackageFormat,
    *,
    section: str,
    means_ja: str,
    fingerprint: str,
    contact: str,
    at: datetime,
    reissue: int = 0,
) -> bytes:
    """送付票 that goes with the discs, as PDF. `fingerprint`: of the key that signed the manifest."""
    quantities = manifest.quantities
    counted = [(f"{_contents_ja(manifest)}（暗号化）　通知書", f"{quantities.notices:,} 件")]
    if not manifest.is_request:
        counted += [("封筒", f"{quantities.envelopes:,} 通"), ("用紙", f"{quantities.sheets:,} 枚")]
    facts = {
        "number": transmittal_number(manifest.package),
        "ward": manifest.ward,
        "section": section,
        "contractor": manifest.party_ja,
        "notice": _notice_ja(manifest),
        "cycle": manifest.cycle,
        "package": manifest.package,
        "opened_with": form.opened_with_ja,
        "discs": [
            {"label": disc.label, "size": _size(disc.image.size_bytes), "sha256": disc.image.sha256}
            for disc in discs
        ],
        "contents": _rows(counted),
        "means": means_ja,
        "fingerprint": fingerprint,
        "contact": contact,
    }
    return render("transmittal", facts, at=at, synthetic=is_synthetic(manifest), reissue=reissue)


@dataclass(frozen=True)
class Guide:
    """The 手順書 of a disc, twice the same."""

    pdf: bytes
    text: str


def disc_guide(
    manifest: Manifest, form: PackageFormat, parts: Sequence[str], *, contact: str, at: datetime
) -> Guide:
    """手順書 for opening the package. `parts`: names of its pieces when it lies on several discs, else empty."""
    steps = _steps(manifest, form, parts)
    files = _files(manifest, form, parts)
    facts: dict[str, Any] = {
        "number": f"{manifest.package}-手順書",
        "ward": manifest.ward,
        "notice": _notice_ja(manifest),
        "cycle": manifest.cycle,
        "package": manifest.package,
        "contact": contact,
        "steps": steps,
        "files": [{"name": name, "what": what} for name, what in files],
    }
    return Guide(
        pdf=render("disc_guide", facts, at=at, synthetic=is_synthetic(manifest)),
        text=_as_text(manifest, steps, files, contact),
    )


def _steps(manifest: Manifest, form: PackageFormat, parts: Sequence[str]) -> list[dict[str, Any]]:
    encrypted, plain = manifest.encrypted_file.name, manifest.print_file.name
    verify = f'ssh-keygen -Y verify -f ..\\{WARD_SIGNERS} -I "{manifest.ward}" -n {MANIFEST_NAMESPACE}'
    steps = [
        _step(
            "写す",
            "ディスクの中身をすべて、この業務のために決めたパソコンのフォルダに写します。",
            *(
                [f"全部のディスクについて行い、{PACKAGE_FOLDER} フォルダの中身を一つにまとめます。"]
                if parts
                else []
            ),
            "写し終わったら、ディスクを金庫に戻します。写したファイルは、すべて消去報告書に書きます。",
        ),
    ]
    if parts:
        steps.append(
            _step(
                "つなぐ",
                f"分かれた {len(parts)} 個のファイルを、番号の順につなぎます（{PACKAGE_FOLDER} フォルダでコマンドプロンプトを開きます）。",
                *([f"{DECRYPTER} で開くときは、つながなくても開けます。"] if form.id == "age" else []),
                commands=[f"copy /b {' + '.join(parts)} {encrypted}"],
            )
        )
    steps.append(
        _step(
            "確かめる",
            f"{PACKAGE_FOLDER} フォルダでコマンドプロンプトを開きます。次の値が、{MANIFEST} の encrypted_file の sha256 と同じことを確かめます。",
            "署名を検証します。表示された指紋（SHA256:…）が、パスワード通知書の指紋と同じことを確かめます。",
            "一つでも違うときは、使わずに区へ電話してください。",
            commands=[
                f"certutil -hashfile {encrypted} SHA256",
                f"{verify} -s {MANIFEST}.sig < {MANIFEST}",
            ],
        )
    )
    steps.append(_opening_step(form, encrypted, plain))
    if manifest.is_request:
        steps.append(
            _step(
                "抜く",
                f"印字データではありません。印刷しないでください。{manifest.contents}の依頼（{manifest.request_number}）の一覧です。",
                "一覧の通知を紙で抜き、受領と、抜いた数の確認（引抜き・差替えの確認）を届け出ます。抜いた紙は裁断します。",
            )
        )
    steps.append(
        _step(
            "答える・返す",
            f"区分が「{manifest.marking}」であること、件数が送付票と同じことを確かめて、受領を区に届け出ます。",
            "納品が済んだら、写しをすべて消去して報告し、ディスクとパスワード通知書を別々に区へ返却します。",
        )
    )
    return steps


def _opening_step(form: PackageFormat, encrypted: str, plain: str) -> dict[str, Any]:
    paper = "パスワード通知書（紙）のとおり、英大文字・数字・ハイフンで入れます。"
    if form.id == "age":
        return _step(
            "開く",
            f"写した {DECRYPTER} をダブルクリックし、画面の 1・2・3 の順に進めます。インターネットは使いません。",
            paper,
            "age がある場合は、次の命令でも開けます。",
            commands=[f"age -d -o {plain} {encrypted}"],
        )
    return _step(
        "開く",
        "7-Zip で開きます。Windows のエクスプローラーでは開けません。",
        paper,
        f"できた {plain} の SHA-256 が、{MANIFEST} の print_file の sha256 と同じことを確かめます。違うときは印刷しないでください。",
        commands=[f"7z x {encrypted}", f"certutil -hashfile {plain} SHA256"],
    )


def _step(title: str, *lines: str, commands: Sequence[str] = ()) -> dict[str, Any]:
    return {"title": title, "lines": list(lines), "commands": list(commands)}


def _files(manifest: Manifest, form: PackageFormat, parts: Sequence[str]) -> list[tuple[str, str]]:
    folder = f"{PACKAGE_FOLDER}/"
    what = f"暗号化した{_contents_ja(manifest)}" + (f"（{len(parts)}個に分割）" if parts else "")
    return [
        (folder + (f"{manifest.encrypted_file.name}.001 …" if parts else manifest.encrypted_file.name), what),
        (f"{folder}{MANIFEST}, .sig", "送付目録と区の署名"),
        (f"{folder}{CHECKSUMS}", "パッケージの SHA-256"),
        (f"{DISC_MANIFEST}, .sig", "ディスクの目録（何枚のうちの何枚目か、分割の内訳）と区の署名"),
        (WARD_SIGNERS, "区の署名鍵の一覧"),
        *([(DECRYPTER, "印字データを開くページ")] if form.id == "age" else []),
        (f"{GUIDE_PDF}, {GUIDE_TEXT}", "この手順書"),
        (CHECKSUMS, "このディスクの全ファイルの SHA-256"),
    ]


def _as_text(
    manifest: Manifest, steps: Sequence[dict[str, Any]], files: Sequence[tuple[str, str]], contact: str
) -> str:
    lines = [
        "印字データを開く手順書",
        "",
        *([f"【{manifest.marking}】", ""] if is_synthetic(manifest) else []),
        f"通知書: {_notice_ja(manifest)}",
        f"発送回: {manifest.cycle}",
        f"パッケージ: {manifest.package}",
        f"困ったとき: {manifest.ward} {contact}",
    ]
    for number, step in enumerate(steps, 1):
        lines += ["", f"{number} {step['title']}", *(f"・{line}" for line in step["lines"])]
        if step["commands"]:
            lines += ["", *(f"    {command}" for command in step["commands"])]
    lines += ["", "ディスクの中身", *(f"・{name}: {what}" for name, what in files), ""]
    return "\n".join(lines)


def _contents_ja(manifest: Manifest) -> str:
    return f"{manifest.contents}の一覧" if manifest.is_request else manifest.contents


def _notice_ja(manifest: Manifest) -> str:
    """What it is about; a list of letters to take out is never taken for data to print."""
    told = f"（{_contents_ja(manifest)}。印刷しないこと）" if manifest.is_request else ""
    return manifest.notice_ja + told


def is_synthetic(manifest: Manifest) -> bool:
    """Whether the manifest says that the data are invented; its papers then say so on every page."""
    return manifest.marking == marking(synthetic=True)


def _rows(contents: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"content": content, "quantity": quantity} for content, quantity in contents]


def _size(size_bytes: int) -> str:
    return f"{size_bytes:,} バイト"
