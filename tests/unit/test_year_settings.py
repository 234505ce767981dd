"""年度設定確認: asked once a year, for exactly these figures."""

import pytest
from tests.builders import CYCLE, SHONIN, ACycle, a_cycle, a_decision, an_answer, the_configuration

from notice_cycle import records as r
from notice_cycle.catalogue import Configuration
from notice_cycle.errors import Refused
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.year_settings import YearSettings, settings_digest

OPENED = a_cycle().up_to(r.OpeningRecord).history()


def confirmed(history: CycleHistory = OPENED, **fields: str) -> r.YearSettingsRecord:
    return YearSettings().judge(
        an_answer("確認した", SHONIN, **({"papers": "架空区介護保険条例"} | fields)), history
    )


def entries(record: r.YearSettingsRecord) -> list[Entry]:
    """The ledger's entries of this kind, in another cycle."""
    (_, entry) = a_cycle().up_to(r.YearSettingsRecord).history().entries
    return [entry.model_copy(update={"data": record.model_dump(mode="json")})]


def test_the_form_shows_every_figure_of_the_year() -> None:
    body = YearSettings().body(OPENED)
    premiums = the_configuration().premiums
    for stage in premiums.stages:
        assert f"第{stage.stage}段階 | 割合 {stage.ratio}・年額 {stage.annual_yen:,}円" in body
    for day in the_configuration().due_on:
        assert str(day) in body
    assert f"{premiums.national_income_threshold.yen:,}円" in body
    assert "架空" in body


def test_the_answer_is_bound_to_the_figures_the_person_and_the_papers() -> None:
    record = confirmed()
    assert record.premiums_sha256 == settings_digest(the_configuration())
    assert (record.confirmed_by, record.papers, record.confirmed_in) == (SHONIN, "架空区介護保険条例", CYCLE)


def test_papers_must_be_named() -> None:
    with pytest.raises(Refused, match="読み合わせた資料"):
        confirmed(papers=" ")


def test_another_cycle_of_the_year_carries_the_answer_over() -> None:
    record = confirmed()
    assert YearSettings().carried(entries(record), OPENED) == record
    assert YearSettings().carried([], OPENED) is None


def changed_by_one_yen() -> CycleHistory:
    configuration = the_configuration()
    threshold = configuration.premiums.national_income_threshold
    premiums = configuration.premiums.model_copy(
        update={"national_income_threshold": threshold.model_copy(update={"yen": threshold.yen + 1})}
    )
    other = configuration.model_copy(update={"premiums": premiums})
    changes = {"configuration": other.model_dump(mode="json"), "configuration_sha256": other.digest()}
    return a_cycle().up_to(r.OpeningRecord).with_(opening=changes).history()


def test_one_yen_changed_and_it_is_asked_again() -> None:
    assert YearSettings().carried(entries(confirmed()), changed_by_one_yen()) is None
    assert confirmed(changed_by_one_yen()).premiums_sha256 != confirmed().premiums_sha256


def test_last_years_confirmation_does_not_release_this_year() -> None:
    last_year = confirmed().model_copy(update={"premiums_sha256": "0" * 64, "fiscal_year": 2025})
    assert YearSettings().carried(entries(last_year), OPENED) is None


FIRST, SECOND = "2026-burden_certificate-supplementary-01", "2026-burden_certificate-supplementary-02"


def opened(cycle: str, configuration: Configuration | None = None) -> ACycle:
    """A cycle that nobody has confirmed yet; of the same figures, unless told otherwise."""
    stored = configuration or the_configuration()
    changes = {"configuration": stored.model_dump(mode="json"), "configuration_sha256": stored.digest()}
    return a_cycle(cycle=cycle).up_to(r.OpeningRecord).with_(opening=changes)


def asked_in(asking: ACycle, *others: ACycle) -> str | None:
    """Where the question of a cycle is put that was opened after the others."""
    histories = {one.id: one.history() for one in (*others, asking)}
    openings = [history.entries[0] for history in histories.values()]
    return YearSettings().asked_in(openings, histories.__getitem__, asking.history())


def test_of_the_cycles_that_wait_at_once_only_the_first_asks() -> None:
    assert asked_in(opened(FIRST)) is None
    assert asked_in(opened(SECOND), opened(FIRST)) == FIRST
    assert asked_in(opened(CYCLE), opened(FIRST), opened(SECOND)) == FIRST


def test_nobody_waits_for_a_withdrawn_cycle() -> None:
    first = opened(FIRST)
    (opening,) = first.history().entries
    withdrawn = first.noting(a_decision(r.DecisionKind.WITHDRAWN, supersedes=opening.digest))
    assert withdrawn.history().withdrawn
    assert asked_in(opened(CYCLE), withdrawn) is None
    assert asked_in(opened(CYCLE), withdrawn, opened(SECOND)) == SECOND


def test_nobody_waits_for_another_sections_approver() -> None:
    notice = the_configuration().notice.model_copy(update={"section": "地域包括ケア推進課"})
    of_others = opened(FIRST, the_configuration().model_copy(update={"notice": notice}))
    assert asked_in(opened(SECOND), of_others) is None
    assert asked_in(opened(CYCLE), of_others, opened(SECOND)) == SECOND


def test_nobody_waits_for_other_figures_or_another_year() -> None:
    changed = Configuration.model_validate(changed_by_one_yen().opening.configuration)
    assert asked_in(opened(SECOND), opened(FIRST, changed)) is None
    assert asked_in(opened(SECOND), opened(FIRST).with_(opening={"fiscal_year": 2025})) is None
