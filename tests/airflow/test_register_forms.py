"""The forms of the register as Airflow loads them: one for each kind, each warning of insured persons' data."""

import re

from tests.airflow.test_dags import ROOT, loaded

from notice_cycle.register import load_seed
from notice_cycle.register.changing import blanks
from notice_cycle.register.kinds import KINDS, FirmEntry
from notice_cycle.values import CYCLE_ID_PATTERN

FORMS = {f"register_{kind}" for kind in KINDS} | {"gate_exception"}


def test_every_kind_of_entry_has_its_form_and_nothing_else_has_one() -> None:
    dags = loaded()["dags"]
    assert {dag_id for dag_id, dag in dags.items() if dag["tags"] == ["登録簿"]} == FORMS


def test_a_form_is_one_task_that_tells_and_starts_only_by_hand() -> None:
    for dag_id in FORMS:
        dag = loaded()["dags"][dag_id]
        (task,) = dag["tasks"]
        assert (task["tells"], task["queue"], dag["schedule"], dag["max_active_runs"]) == (True, "default", "NullTimetable", 1)  # fmt: skip
        assert not (task["name"].isascii() or dag["display_name"].isascii())


def test_a_form_says_whose_names_may_be_typed() -> None:
    for dag_id in FORMS:
        assert "被保険者の氏名・番号は" in loaded()["dags"][dag_id]["doc"], dag_id


def test_an_asterisk_stands_where_an_addition_needs_an_answer() -> None:
    for kind in KINDS.values():
        own = {"key", "action", "valid_from", "reason_code", "filed_as"}
        needed = {blank.key for blank in blanks(kind) if blank.required}
        assert set(loaded()["dags"][f"register_{kind.kind}"]["with_asterisk"]) == own | needed, kind.kind


def test_no_form_offers_a_dispatch_a_party_or_an_entry() -> None:
    """A form is the same for every section: what it listed, another section would see. Numbers are typed, and compared."""
    offers = {choice for dag in loaded()["dags"].values() for choice in dag["offers"]}
    assert {"corrected", "receipt"} <= offers  # of the lists of reasons and messages
    seed = load_seed(ROOT / "include" / "config")
    known = {held.key for held in seed}
    known |= {held.content.name_ja for held in seed if isinstance(held.content, FirmEntry)}
    assert offers & known == set()
    assert [choice for choice in offers if re.fullmatch(CYCLE_ID_PATTERN, choice)] == []


def test_the_forms_parse_in_well_under_a_second() -> None:
    seconds = loaded()["seconds_by_file"]
    measured = {
        file: seconds[file] for file in seconds if "register_forms" in file or "gate_exception" in file
    }
    assert len(measured) == 2
    assert max(measured.values()) < 3  # generous, as for all: a busy machine must not fail the build
