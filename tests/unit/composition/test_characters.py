"""The character gate: what cannot be printed is listed or printed as agreed, never replaced in silence."""

import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.composition.notices import a_notice, agreed, composed, configured, printed

from notice_cycle.composition.characters import Repertoire
from notice_cycle.composition.rules import GaijiTable
from notice_cycle.composition.windows31j import encode, unprintable
from notice_cycle.errors import NotConfigured, Refused
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import PRINT_FILE

NONE = GaijiTable()


def encoded(
    *texts: str | None, charset: str = "cp932-windows", gaiji: GaijiTable = NONE, quoted: bool = False
) -> list[bytes]:
    repertoire = Repertoire(charset, gaiji)
    found: list[bytes] = repertoire.encoded(pa.array(texts, pa.string()), quoted=quoted).to_pylist()
    repertoire.refuse_unprintable()
    return found


def test_every_character_has_the_bytes_of_the_slow_encoder() -> None:
    every = [chr(point) for point in range(0x30000) if not 0xD800 <= point < 0xE000]
    plain = [character for character in every if not unprintable(character) and character not in "\r\n"]
    assert len(plain) > 7_400
    assert encoded(*plain) == [encode(character) for character in plain]
    repertoire = Repertoire("cp932-windows", NONE)
    repertoire.encoded(pa.array(every))
    assert set(repertoire.unprintable) == set(every) - set(plain)


@given(st.lists(st.text('aあ髙ｱ①"　～－Z0', max_size=9), max_size=20))
def test_columns_are_cut_where_the_texts_end(texts: list[str]) -> None:
    assert encoded(*texts) == [encode(text) for text in texts]
    assert encoded(*texts, quoted=True) == [encode(text.replace('"', '""')) for text in texts]


def test_a_missing_text_is_empty_and_a_slice_is_a_column() -> None:
    assert encoded(None, "髙", None) == [b"", b"\xfb\xfc", b""]
    part = pa.array(["あ", "髙", "ｱ"]).slice(1, 2)
    assert Repertoire("cp932-windows", NONE).encoded(part).to_pylist() == [b"\xfb\xfc", b"\xb1"]


def test_every_character_that_cannot_be_printed_is_listed_with_its_number(vault: CycleVault) -> None:
    rows = [a_notice(n, address="\U00020bb8野町\U00020bb8野" if n == 5 else "見本町") for n in range(1, 20)]
    rows.append(a_notice(20, insured_name="外字\ue000"))
    with pytest.raises(Refused, match=r"U\+20BB8 2件、|U\+E000 1件") as caught:
        composed(vault, *rows)
    assert "U+20BB8 2件" in str(caught.value)
    assert "U+E000 1件" in str(caught.value)
    assert "野" not in str(caught.value)
    assert not vault.has(PRINT_FILE)


def test_only_what_the_layout_prints_is_judged(vault: CycleVault) -> None:
    composed(vault, a_notice(1, insured_kana="\U00020bb8"))
    assert vault.has(PRINT_FILE)


def test_agreed_characters_are_printed_as_agreed_and_counted(vault: CycleVault) -> None:
    gaiji = agreed(U_20BB7="U+E000", U_9DD7="鴎", U_845B_E0100="葛")
    rows = [
        a_notice(1, recipient_name="\U00020bb7野　鷗外"),
        a_notice(2, address="葛\U000e0100飾", recipient_name="鷗・葛"),
    ]
    record = composed(vault, *rows, configuration=configured(gaiji=gaiji))
    assert record.replaced_characters == {"U+20BB7": 1, "U+9DD7": 2, "U+845B U+E0100": 1}
    assert b"\xf0\x40" + encode("野　鴎外") in printed(vault)
    assert encode("葛飾") in printed(vault)


def test_what_is_agreed_for_a_sequence_is_not_agreed_for_its_parts() -> None:
    gaiji = agreed(U_845B_E0100="葛")
    assert encoded("葛", gaiji=gaiji) == [encode("葛")]
    with pytest.raises(Refused, match=r"U\+E0100 1件"):
        encoded("辻\U000e0100", gaiji=gaiji)


def test_a_printable_character_may_be_agreed_too() -> None:
    assert encoded("山﨑", "崎", gaiji=agreed(U_FA11="崎")) == [encode("山崎"), encode("崎")]
    assert encoded("山﨑", gaiji=agreed(U_5C71_FA11="山崎")) == [encode("山崎")]


def test_a_foreign_gaiji_in_the_data_is_refused_even_where_the_contractor_has_one() -> None:
    with pytest.raises(Refused, match=r"U\+E000 1件"):
        encoded("\ue000", gaiji=agreed(U_20BB7="U+E000"))


@pytest.mark.parametrize("printed_as", ["鷗", "U+F8FF"])
def test_a_counterpart_that_cannot_be_printed_is_a_mistake_in_the_table(printed_as: str) -> None:
    with pytest.raises(NotConfigured, match=r"外字の取決めの U\+20BB7"):
        Repertoire("cp932-windows", agreed(U_20BB7=printed_as))


@pytest.mark.parametrize(
    "odd", ["\ue000", "\u200b", "\u202e", "か\u3099", "葛\U000e0100", "\u0007", "\n", "\U000e0fff"]
)
def test_utf_8_prints_what_has_a_glyph_of_its_own(odd: str) -> None:
    assert encoded("\U00020bb7野鷗", charset="utf-8") == ["\U00020bb7野鷗".encode()]
    with pytest.raises(Refused, match=f"U\\+{ord(odd[-1]):04X} 1件"):
        encoded(odd, charset="utf-8")


def test_nothing_is_normalised() -> None:
    texts = ["①㈱", "神", "ｶﾞ", "Ａ"]
    assert [text.decode() for text in encoded(*texts, charset="utf-8")] == texts
    chance = random.Random(1)
    assert encoded("".join(chance.choices("①㈱ｶﾞＡ", k=50)), charset="utf-8")
