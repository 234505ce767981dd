"""The manifest is read only in its canonical bytes; the checksums are read by the stock tool."""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.builders import CYCLE, a_cycle, a_file

from notice_cycle.errors import Altered
from notice_cycle.exchange.package import Manifest, PrintColumn, PrintFormat, checksums, marking
from notice_cycle.records import CompositionRecord
from notice_cycle.values import canonical, stored_file


def a_manifest(**changes: Any) -> Manifest:
    composition = a_cycle()[CompositionRecord]
    known: dict[str, Any] = {
        "marking": "架空データ",
        "cycle": CYCLE,
        "package": f"{CYCLE}-p1",
        "notice_ja": "納入通知書・普通徴収",
        "ward": "架空区",
        "party_ja": "架空印刷株式会社",
        "issued_at": datetime(2026, 7, 1, 1, tzinfo=UTC),
        "encrypted_file": a_file(f"{CYCLE}-p1.csv.age"),
        "print_file": composition.print_file,
        "layout": composition.layout,
        "charset": composition.charset,
        "print_format": PrintFormat(
            format="csv", trailer=False, columns=(PrintColumn(heading="通知書番号"),)
        ),
        "subject_heading": "被保険者番号",
        "agreed_characters": (),
        "quantities": composition.quantities,
        "totals_yen": {"普通徴収額": 2_345_600},
    }
    return Manifest(**(known | changes))


def test_a_manifest_reads_back() -> None:
    assert Manifest.parse(a_manifest().content()) == a_manifest()


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda content: content + b"\n",
        lambda content: b" " + content,
        lambda content: content.replace(b'"quantities":', b'"quantities": '),
        lambda content: json.dumps(json.loads(content), ensure_ascii=False).encode(),
        lambda content: json.dumps(json.loads(content)).encode(),
        lambda content: content.replace("架空区".encode(), b"\\u67b6\\u7a7a\\u533a"),
        lambda content: content.replace(b":2345600", b':"2345600"'),
        lambda content: content.replace(b":2345600", b":2345600.0"),
        lambda content: content.replace(b'"persons":40', b'"persons":40,"persons":40'),
        lambda content: canonical({**json.loads(content), "note": "x"}),
        lambda content: canonical({**json.loads(content), "encryption": "zip"}),
        lambda content: canonical({**json.loads(content), "marking": "見本"}),
        lambda content: content[:-1],
        lambda _: b"",
        lambda _: b"[]",
        lambda _: b"null",
        lambda _: b"\xff\xfe",
        lambda _: b"[" * 100_000,
        lambda _: b"NaN",
    ],
)
def test_other_bytes_are_no_manifest(rewrite: Callable[[bytes], bytes]) -> None:
    content = a_manifest().content()
    assert rewrite(content) != content
    with pytest.raises(Altered, match="送付目録の形式ではありません") as caught:
        Manifest.parse(rewrite(content))
    assert "再送" in caught.value.advice


def test_the_marking_says_whether_data_are_invented() -> None:
    assert (marking(synthetic=True), marking(synthetic=False)) == ("架空データ", "本番")


def test_the_checksums_are_read_by_sha256sum(tmp_path: Path) -> None:
    for name in ("a.age", "manifest.json"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "SHA256SUMS").write_bytes(
        checksums([stored_file(tmp_path / name) for name in ("a.age", "manifest.json")])
    )
    check = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "a.age").write_bytes(b"other")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 1
