"""The register as of any day: additions, amendments and ends fold into what held, and what was known."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import CONFIG
from tests.unit.register.world import DAY, INSERT, NOTICE, PRINT, TANTO, a_register, held

from notice_cycle.catalogue import notice_ids
from notice_cycle.errors import NotConfigured
from notice_cycle.register import Register, RegisterChanged, load_seed
from notice_cycle.register.kinds import KINDS, ContractEntry, EmergencyContactEntry, PlaceEntry

FIRST = date(2026, 4, 1)


def a_place(name: str = "作業室") -> dict[str, Any]:
    return {"party": PRINT, "name": name, "lock": "作業場所"}


def a_change(action: str, key: str = "p", *, entered: date = FIRST, **changes: Any) -> RegisterChanged:
    known: dict[str, Any] = {
        "entry_kind": "place",
        "key": key,
        "action": action,
        "valid_from": None if action == "end" else FIRST,
        "valid_until": None,
        "content": {} if action == "end" else a_place(),
        "reason_code": "new",
        "filed_as": "26介保第12号",
        "entered_by": TANTO,
        "entered_at": datetime(entered.year, entered.month, entered.day, 3, tzinfo=UTC),
    }
    return RegisterChanged.model_validate(known | changes)


def names_on(day: date, *facts: RegisterChanged, as_of: date = date(2027, 1, 1)) -> list[str]:
    return [one.content.name for one in Register.fold((), facts, as_of).held(PlaceEntry, day)]


def test_an_entry_holds_from_its_first_to_its_last_day() -> None:
    change = a_change("add", valid_until=date(2026, 4, 30))
    days = [date(2026, 3, 31), FIRST, date(2026, 4, 30), date(2026, 5, 1)]
    assert [bool(names_on(day, change)) for day in days] == [False, True, True, False]


def test_an_amendment_holds_from_its_day_and_the_past_stays_answerable() -> None:
    changes = (a_change("add"), a_change("amend", valid_from=date(2026, 6, 1), content=a_place("第二作業室")))
    assert names_on(date(2026, 5, 31), *changes) == ["作業室"]
    assert names_on(date(2026, 6, 1), *changes) == ["第二作業室"]


def test_an_end_is_the_last_day_and_before_the_first_day_it_voids() -> None:
    ended = (a_change("add"), a_change("end", valid_until=date(2026, 6, 30)))
    assert (names_on(date(2026, 6, 30), *ended), names_on(date(2026, 7, 1), *ended)) == (["作業室"], [])
    voided = (a_change("add"), a_change("end", valid_until=date(2026, 3, 31)))
    assert names_on(FIRST, *voided) == []


def test_what_was_entered_later_was_not_known_then() -> None:
    late = a_change("add", entered=date(2026, 7, 1))
    assert names_on(FIRST, late, as_of=date(2026, 6, 30)) == []
    assert names_on(FIRST, late, as_of=date(2026, 7, 1)) == ["作業室"]


def test_the_day_something_was_entered_is_tokyos() -> None:
    before_nine = a_change("add", entered_at=datetime(2026, 6, 30, 15, 0, tzinfo=UTC))  # 1 July, 0:00
    assert names_on(DAY, before_nine, as_of=date(2026, 6, 30)) == []
    assert names_on(DAY, before_nine, as_of=date(2026, 7, 1)) == ["作業室"]


DAYS = st.dates(date(2026, 4, 1), date(2027, 3, 31))
CHANGES = st.lists(
    st.builds(
        lambda action, key, first, length, entered, name: a_change(
            action,
            key,
            entered=entered,
            **(
                {"valid_until": first}
                if action == "end"
                else {
                    "valid_from": first,
                    "valid_until": None if length is None else first + timedelta(days=length),
                    "content": a_place(name),
                }
            ),
        ),
        st.sampled_from(["add", "amend", "end"]),
        st.sampled_from(["a", "b"]),
        DAYS,
        st.none() | st.integers(0, 200),
        DAYS,
        st.sampled_from(["東", "西", "南"]),
    ),
    max_size=12,
)


@given(changes=CHANGES, as_of=DAYS, day=DAYS)
def test_folding_as_of_a_day_is_folding_what_was_entered_by_then(
    changes: list[RegisterChanged], as_of: date, day: date
) -> None:
    known = [one for one in changes if one.entered_at.date() <= as_of]
    assert Register.fold((), changes, as_of).held(PlaceEntry, day) == Register.fold((), known, date.max).held(
        PlaceEntry, day
    )


@given(changes=CHANGES, day=DAYS)
def test_the_last_word_about_a_key_is_what_counts(changes: list[RegisterChanged], day: date) -> None:
    """The slow way to say it: walk the changes of a key, remember for this one day whether and what it is."""
    expected: dict[str, list[str]] = {"a": [], "b": []}
    for one in changes:
        if one.action == "end":
            if one.valid_until and day > one.valid_until:
                expected[one.key] = []
            continue
        assert one.valid_from
        if one.action == "amend" and day >= one.valid_from:
            expected[one.key] = []
        if one.valid_from <= day and (one.valid_until is None or day <= one.valid_until):
            expected[one.key].append(one.content["name"])
    folded = Register.fold((), changes, date.max).held(PlaceEntry, day)
    for key, names in expected.items():
        assert [one.content.name for one in folded if one.key == key] == names


@given(changes=CHANGES)
def test_the_digest_follows_the_content(changes: list[RegisterChanged]) -> None:
    register = Register.fold((), changes, date.max)
    assert register.digest == Register.fold((), changes, date.max).digest
    more = Register.fold((), [*changes, a_change("add", "other", content=a_place("別"))], date.max)
    assert more.digest != register.digest


# ---- what gates and forms ask


def test_several_contracts_a_year_are_told_apart_by_notice_and_day() -> None:
    register = a_register()
    assert [one.key for one in register.contracts_for(NOTICE, PRINT)] == ["2026-premium"]
    assert [one.key for one in register.contracts_for("reminder", PRINT)] == ["2026-reminder"]
    assert register.contracts_for(NOTICE, PRINT, date(2026, 3, 31)) == []
    assert register.contracts_for(NOTICE, INSERT) == []


def test_the_mark_that_lasts_longest_is_the_valid_one() -> None:
    renewed = held(
        "certificate", "renewed", "2026-06-01", "2029-01-31", party=PRINT, mark="プライバシーマーク", number="架空-9",
        checked_on="2026-06-01", source="一覧",
    )  # fmt: skip
    found = a_register(plus=[renewed]).valid_certificate(PRINT, "プライバシーマーク")
    assert found
    assert found.key == "renewed"


def test_a_handler_is_on_the_roster_when_named_trained_and_pledged() -> None:
    assert a_register().handler_on_roster("印刷　太郎", DAY, party=PRINT)  # spaces do not make another person
    assert a_register().handler_on_roster("印刷 太郎", DAY, party=INSERT) is None
    assert a_register().handler_on_roster("印刷 太郎", date(2026, 3, 31)) is None
    for kind in ("handler", "training", "pledge"):
        assert a_register(without=[f"{kind}/example-print-taker" + ("-2026" if kind == "training" else "")]).handler_on_roster("印刷 太郎") is None  # fmt: skip


def test_training_counts_for_its_fiscal_year_from_its_day() -> None:
    register = a_register(alter={"training/insert-clerk": {"held_on": date(2026, 7, 2)}})
    assert not register.is_trained(INSERT, "封入 二郎", DAY)
    assert register.is_trained(INSERT, "封入 二郎", date(2026, 7, 2))
    assert not register.is_trained(INSERT, "封入 二郎", date(2027, 4, 1))


def test_a_pledge_outlives_the_roster() -> None:
    assert a_register().has_pledged(PRINT, "印刷 太郎", date(2030, 1, 1))


def test_consent_covers_party_notice_and_day() -> None:
    register = a_register()
    assert register.consent_for(PRINT, INSERT, NOTICE)
    assert register.consent_for(PRINT, INSERT, "reminder") is None
    assert register.consent_for(PRINT, INSERT, NOTICE, date(2027, 4, 1)) is None


def test_an_office_is_held_by_an_account_on_a_day() -> None:
    register = a_register(alter={"officer/kacho": {"valid_until": date(2026, 6, 30)}})
    assert register.holds_office("kacho", "課長", date(2026, 6, 30))
    assert not register.holds_office("kacho", "課長", DAY)


# ---- the sample


def test_the_sample_says_that_it_is_invented_and_covers_every_notice() -> None:
    assert "架空" in (CONFIG / "register.yaml").read_text(encoding="utf-8").splitlines()[0]
    register = a_register(subcontractor=False)
    assert [one for one in notice_ids(CONFIG) if not register.contracts_for(one, PRINT)] == []
    assert {one.content.party for one in register.ever(ContractEntry)} == {PRINT}
    assert len(register.held(EmergencyContactEntry)) == 1


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("weapon: {a: {valid_from: 2026-04-01}}", "weapon.a"),
        ("place: {a: {valid_from: 2026-04-01, party: p_1, name: x, lock: 棚}}", "place.a.lock"),
        ("place: {a: {party: p_1, name: x, lock: 金庫}}", "place.a.valid_from"),
        (
            "firm: {a: {valid_from: 2026-04-01, name_ja: x, tier: 丁, corporate_number: '9010001000009'}}",
            "firm.a.tier",
        ),
    ],
)
def test_a_mistake_in_the_file_is_told_by_kind_key_and_field(line: str, where: str, tmp_path: Any) -> None:
    (tmp_path / "register.yaml").write_text(line, encoding="utf-8")
    with pytest.raises(NotConfigured) as caught:
        load_seed(tmp_path)
    assert where in str(caught.value)


def test_every_kind_says_its_japanese_name_and_titles() -> None:
    assert len(KINDS) < 40
    for kind in KINDS.values():
        assert not kind.label_ja.isascii()
        assert [
            name for name, field in kind.model_fields.items() if not field.title or field.title.isascii()
        ] == []
    assert len({kind.label_ja for kind in KINDS.values()}) == len(KINDS)
