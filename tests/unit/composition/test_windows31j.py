"""Windows-31J as Windows writes it: 髙 is FBFC, nothing is replaced, iconv agrees character by character."""

import shutil
import subprocess
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notice_cycle.composition.windows31j import encode, unprintable
from notice_cycle.errors import Refused

NOT_PRINTED = ("Cc", "Cf", "Co", "Mn", "Me")


def decodable() -> list[str]:
    """Every character that CPython's cp932 can decode from one or two bytes, except 外字 and control characters."""
    found = set()
    for code in range(0x10000):
        raw = bytes([code]) if code < 0x100 else code.to_bytes(2, "big")
        try:
            text = raw.decode("cp932")
        except UnicodeDecodeError:
            continue
        if len(text) == 1 and unicodedata.category(text) not in NOT_PRINTED:
            found.add(text)
    return sorted(found)


CHARACTERS = decodable()


@pytest.mark.parametrize(
    ("character", "written"),
    [
        ("髙", "fbfc"),
        ("﨑", "fab1"),
        ("ⅰ", "fa40"),
        ("Ⅰ", "8754"),
        ("①", "8740"),
        ("㈱", "878a"),
        ("～", "8160"),
        ("－", "817c"),
        ("￢", "81ca"),
        ("∵", "81e6"),
        ("ｱ", "b1"),
        ("亜", "889f"),
        ("熙", "eaa4"),
    ],
)
def test_the_bytes_are_those_of_windows(character: str, written: str) -> None:
    assert encode(character).hex() == written


def test_there_is_something_to_compare() -> None:
    assert len(CHARACTERS) > 7_400


def test_every_decodable_character_comes_back_the_same() -> None:
    assert [c for c in CHARACTERS if encode(c).decode("cp932") != c] == []


@pytest.mark.skipif(shutil.which("iconv") is None, reason="iconv is not installed")
def test_the_bytes_are_those_of_iconv() -> None:
    text = "\n".join(CHARACTERS)
    done = subprocess.run(
        ["iconv", "-f", "UTF-8", "-t", "CP932"], input=text.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    theirs = done.stdout.split(b"\n")
    assert len(theirs) == len(CHARACTERS)
    different = [
        (c, encode(c).hex(), other.hex())
        for c, other in zip(CHARACTERS, theirs, strict=True)
        if encode(c) != other
    ]
    assert different == []


@given(text=st.text(st.sampled_from([*CHARACTERS, "\r", "\n"])))
def test_a_text_is_written_as_its_characters(text: str) -> None:
    assert encode(text) == b"".join(map(encode, text))
    assert unprintable(text) == {}


@pytest.mark.parametrize(
    "character",
    [
        "𠮷",  # outside the character set
        "〜",  # a look-alike of ～ that must not be turned into it silently
        "−",
        "¢",
        "é",
        "\ue000",  # 外字
        "\u200b",
        "\ufeff",
        "\u3099",  # combining
        "\t",
        "\0",
        "\x1a",
        "\x7f",
        "\x80",
        "\ud800",
    ],
    ids=lambda character: f"U+{ord(character):04X}",
)
def test_a_character_that_cannot_be_printed_is_refused_by_code_point_and_count(character: str) -> None:
    with pytest.raises(Refused) as caught:
        encode(f"山田{character}花子{character}")
    assert caught.value.message == f"印字できない文字があります: U+{ord(character):04X} 2件"
    assert "山田" not in str(caught.value)
    assert character not in str(caught.value)
    assert unprintable(f"山{character}") == {character: 1}


def test_several_are_listed_in_order() -> None:
    with pytest.raises(Refused, match=r"U\+E000 1件、U\+20BB7 2件"):
        encode("𠮷\ue000𠮷")
