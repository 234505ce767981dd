"""A contractor's message is read as hostile: strict, small, whole, and never quoted back."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.builders import (
    a_content_receipt,
    a_cycle,
    a_delivery_report,
    a_print_log,
    a_receipt,
    an_erasure_certificate,
    an_erasure_report,
)
from tests.further_messages import (
    a_copy_declaration,
    a_destruction_certificate,
    a_measure_change,
    a_posting_receipt,
    a_pullout_confirmation,
    a_rejection,
    a_return_notice,
    a_transfer_record,
    an_enclosure,
    an_incident_notice,
)

from notice_cycle.errors import Refused
from notice_cycle.exchange.messages import MAX_MESSAGE_BYTES, MESSAGES, Message
from synthetic_ward import CANARY

REPORT = an_erasure_report(a_cycle())
ALL: dict[str, Message] = {
    message.kind: message
    for message in (
        a_receipt(a_cycle()),
        a_content_receipt(a_cycle()),
        a_print_log(a_cycle()),
        a_delivery_report(a_cycle()),
        REPORT,
        an_erasure_certificate(a_cycle(), REPORT),
        a_rejection(a_cycle()),
        a_copy_declaration(a_cycle()),
        a_transfer_record(a_cycle()),
        a_destruction_certificate(a_cycle()),
        a_pullout_confirmation(a_cycle()),
        a_posting_receipt(a_cycle()),
        a_return_notice(a_cycle()),
        a_measure_change(a_cycle()),
        an_incident_notice(a_cycle()),
        an_enclosure(a_cycle()),
    )
}

Change = Callable[[dict[str, Any]], Any]


def written(said: Any) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode()


def refused(content: bytes, kind: str = "content-receipt") -> Refused:
    with pytest.raises(Refused) as caught:
        MESSAGES[kind].parse(content)
    told = caught.value
    assert MESSAGES[kind].label_ja in told.message or "大きすぎます" in told.message
    assert "様式どおりに作り直して署名し" in told.advice
    assert len(told.message) < 120
    return told


def changed(change: Change, kind: str = "content-receipt") -> bytes:
    said = json.loads(ALL[kind].content())
    change(said)
    return written(said)


def test_every_kind_of_message_is_built() -> None:
    assert ALL.keys() == MESSAGES.keys()


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_reads_back_also_in_another_spelling(kind: str) -> None:
    message = ALL[kind]
    assert type(message).parse(message.content()) == message
    spaced = json.dumps(json.loads(message.content()), indent=4, sort_keys=False).encode()
    assert type(message).parse(spaced) == message


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_field_is_needed(kind: str) -> None:
    for name, field in type(ALL[kind]).model_fields.items():
        if field.is_required():
            told = refused(changed(lambda said, name=name: said.pop(name), kind), kind)
            assert f"項目 {name} が" in told.message


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_of_another_kind_is_refused(kind: str) -> None:
    for other in MESSAGES.keys() - {kind}:
        refused(ALL[other].content(), kind)


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"hello",
    "a list": b"[]",
    "a number": b"7",
    "two documents": ALL["content-receipt"].content() * 2,
    "cut off": ALL["content-receipt"].content()[:-3],
    "not UTF-8": ALL["content-receipt"].content().replace("開封".encode(), "開封".encode("cp932")),
    "a byte order mark": b"\xef\xbb\xbf" + ALL["content-receipt"].content(),
    "UTF-16": ALL["content-receipt"].content().decode().encode("utf-16"),
    "deep nesting of lists": b"[" * 200_000 + b"]" * 200_000,
    "deep nesting of objects": b'{"a":' * 150_000 + b"1" + b"}" * 150_000,
    "deep nesting in a field": changed(lambda s: s).replace(
        b'"opened_by"', b'"x":' + b"[" * 5_000 + b"]" * 5_000 + b',"opened_by"'
    ),
    "an enormous number": changed(lambda s: s).replace(b'"persons": 40', b'"persons": ' + b"9" * 100_000),
    "a duplicate key": changed(lambda s: s).replace(b'"persons": 40', b'"persons": 40, "persons": 41'),
    "a duplicate key of equal value": changed(lambda s: s).replace(
        b'"persons": 40', b'"persons": 40, "persons": 40'
    ),
    "a duplicate key, spelled otherwise": changed(lambda s: s).replace(
        b'"persons": 40', b'"persons": 40, "p\\u0065rsons": 40'
    ),
    "a float": changed(lambda s: s).replace(b'"persons": 40', b'"persons": 40.0'),
    "an exponent": changed(lambda s: s).replace(b'"persons": 40', b'"persons": 4e1'),
    "NaN": changed(lambda s: s).replace(b'"persons": 40', b'"persons": NaN'),
    "infinity": changed(lambda s: s).replace(b'"persons": 40', b'"persons": Infinity'),
    "minus infinity in a text": changed(lambda s: s).replace(b'"persons": 40', b'"persons": -Infinity'),
    "a lone surrogate": changed(lambda s: s).replace("開封 三郎".encode(), b"\\ud800"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_plain_json_of_ours_is_refused(what: str) -> None:
    assert HOSTILE[what] != changed(lambda said: said)
    refused(HOSTILE[what])


def test_the_size_is_limited_to_one_mebibyte() -> None:
    content = ALL["receipt"].content()
    within = content + b" " * (MAX_MESSAGE_BYTES - len(content))
    assert MESSAGES["receipt"].parse(within) == ALL["receipt"]
    assert "1MiB" in refused(within + b" ", "receipt").message


WRONG: dict[str, tuple[str, Change, str]] = {
    "a count as text": (
        "content-receipt",
        lambda s: s.update(unreadable_characters="0"),
        "unreadable_characters",
    ),
    "a count as truth": (
        "content-receipt",
        lambda s: s.update(unreadable_characters=False),
        "unreadable_characters",
    ),
    "a negative count": (
        "content-receipt",
        lambda s: s.update(unreadable_characters=-1),
        "unreadable_characters",
    ),
    "a count beyond reason": (
        "content-receipt",
        lambda s: s.update(unreadable_characters=10**9),
        "unreadable_characters",
    ),
    "a quantity as text": (
        "content-receipt",
        lambda s: s["quantities"].update(sheets="40"),
        "quantities.sheets",
    ),
    "an unknown quantity": (
        "content-receipt",
        lambda s: s["quantities"].update(boxes=1),
        "quantities.（知らない名前）",
    ),
    "an amount as text": (
        "content-receipt",
        lambda s: s.update(totals_yen={"普通徴収額": "1"}),
        "totals_yen.（知らない名前）",
    ),
    "null": ("content-receipt", lambda s: s.update(opened_by=None), "opened_by"),
    "a formula": ("content-receipt", lambda s: s.update(opened_by="=cmd|' /C calc'!A0"), "opened_by"),
    "a formula with a plus": ("content-receipt", lambda s: s.update(opened_by="+1"), "opened_by"),
    "a formula with a minus": ("content-receipt", lambda s: s.update(opened_by="-1"), "opened_by"),
    "a formula with an at": ("content-receipt", lambda s: s.update(opened_by="@SUM(1)"), "opened_by"),
    "a formula in full width": ("content-receipt", lambda s: s.update(opened_by="＝1+1"), "opened_by"),
    "a formula as reason": ("print-log", lambda s: s["lines"][0].update(reason="=1"), "lines.0.reason"),
    "a quantity beyond reason": (
        "content-receipt",
        lambda s: s["quantities"].update(sheets=10**12),
        "quantities",
    ),
    "a negative quantity": ("content-receipt", lambda s: s["quantities"].update(sheets=-1), "quantities"),
    "a path as enclosure": ("enclosure", lambda s: s.update(file="../x.age"), "file"),
    "an enclosure beyond the limit": (
        "enclosure",
        lambda s: s.update(size_bytes=10 * 1024**3),
        "size_bytes",
    ),
    "an empty name": ("content-receipt", lambda s: s.update(opened_by=""), "opened_by"),
    "a long name": ("content-receipt", lambda s: s.update(opened_by="あ" * 201), "opened_by"),
    "a line end in a name": ("content-receipt", lambda s: s.update(opened_by="a\nb"), "opened_by"),
    "an escape in a name": ("content-receipt", lambda s: s.update(opened_by="a\x1b[31m"), "opened_by"),
    "a time without zone": (
        "content-receipt",
        lambda s: s.update(opened_at="2026-07-01T10:00:00"),
        "opened_at",
    ),
    "a time as number": ("content-receipt", lambda s: s.update(opened_at=1_780_000_000), "opened_at"),
    "no time": ("content-receipt", lambda s: s.update(opened_at="yesterday"), "opened_at"),
    "an upper-case digest": (
        "content-receipt",
        lambda s: s.update(print_file_sha256=s["print_file_sha256"].upper()),
        "print_file_sha256",
    ),
    "a digest and a line end": (
        "content-receipt",
        lambda s: s.update(manifest_sha256=s["manifest_sha256"] + "\n"),
        "manifest_sha256",
    ),
    "another format": ("receipt", lambda s: s.update(format="notice-cycle-message/2"), "format"),
    "no cycle id": ("receipt", lambda s: s.update(cycle="2026"), "cycle"),
    "a cycle id that climbs": ("receipt", lambda s: s.update(cycle="../" + s["cycle"]), "cycle"),
    "files as list": ("receipt", lambda s: s.update(files=[]), "files"),
    "a path-like name": (
        "receipt",
        lambda s: s["files"].update({"../x": "0" * 64}),
        "files.（知らない名前）",
    ),
    "an absolute name": (
        "receipt",
        lambda s: s["files"].update({"/etc/x": "0" * 64}),
        "files.（知らない名前）",
    ),
    "a hidden name": ("receipt", lambda s: s["files"].update({".x": "0" * 64}), "files.（知らない名前）"),
    "a name with a backslash": (
        "receipt",
        lambda s: s["files"].update({"a\\b": "0" * 64}),
        "files.（知らない名前）",
    ),
    "an empty file name": ("receipt", lambda s: s["files"].update({"": "0" * 64}), "files.（知らない名前）"),
    "a path-like print file": (
        "print-log",
        lambda s: s["lines"][0].update(print_file="a/b"),
        "lines.0.print_file",
    ),
    "no line": ("print-log", lambda s: s.update(lines=[]), "lines"),
    "an unknown purpose": ("print-log", lambda s: s["lines"][0].update(purpose="fun"), "lines.0.purpose"),
    "no lot": ("delivery-report", lambda s: s.update(lots=[]), "lots"),
    "too many lots": (
        "delivery-report",
        lambda s: s.update(lots=[{"lot": "1", "envelopes": 1}] * 1_001),
        "lots",
    ),
    "no copy": ("erasure-report", lambda s: s.update(copies=[]), "copies"),
    "an unknown method": (
        "erasure-report",
        lambda s: s["copies"][1].update(method="delete"),
        "copies.1.method",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_field_is_named_in_words_of_ours(what: str) -> None:
    kind, change, field = WRONG[what]
    assert f"項目 {field}" in refused(changed(change, kind), kind).message


def test_what_a_contractor_writes_is_never_repeated() -> None:
    """Refusals reach ledger, mails and logs: a key or value of a contractor's making may hold anything."""
    for hers in (CANARY.name, CANARY.insured_no, "x" * 100_000):
        for change in (
            lambda said, hers=hers: said.update({hers: 1}),
            lambda said, hers=hers: said.update(opened_by=hers + "\n"),
            lambda said, hers=hers: said.update(cycle=hers),
            lambda said, hers=hers: said["quantities"].update({hers: hers}),
        ):
            assert hers not in str(refused(changed(change)))
        told = refused(
            changed(lambda said, hers=hers: said["files"].update({hers + "/": hers}), "receipt"), "receipt"
        )
        assert hers not in str(told)
