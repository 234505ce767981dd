"""Opening: ids and rounds, one annual run a year, no invented premiums for real residents."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from tests.builders import (
    CYCLE,
    NOTICE,
    OPENED_AT,
    TANTO,
    ACycle,
    a_cycle,
    a_decision,
    a_digest,
    an_opening,
    taken_after_delivery,
    the_configuration,
)
from tests.unit.register.world import DAY, a_register

from notice_cycle import records as r
from notice_cycle.errors import Conflict, Refused
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.opening import REASONS_JA, OpeningRequest, by_default_route, open_cycle
from notice_cycle.posting import Posted
from notice_cycle.records import DecisionKind
from notice_cycle.values import CycleId, Occasion


def a_request(**changes: Any) -> OpeningRequest:
    known: dict[str, Any] = {
        "dag_id": NOTICE,
        "run_id": "manual__1",
        "fiscal_year": 2026,
        "occasion": Occasion.ANNUAL,
        "reason_code": "annual",
        "batch_no": "2026-annual",
    }
    return OpeningRequest(**(known | changes))


class Openings:
    """What the ledger knows of earlier openings, each of a batch of its own, some of them withdrawn."""

    def __init__(self, *cycles: str, withdrawn: tuple[str, ...] = ()) -> None:
        self.histories = {cycle: self._history(cycle, cycle in withdrawn) for cycle in cycles}

    @staticmethod
    def _history(cycle: str, withdrawn: bool) -> CycleHistory:
        opened = a_cycle(cycle=cycle).with_(opening={"batch_no": f"of-{cycle}"}).up_to(r.OpeningRecord)
        opening = opened.history().entries[0]
        if withdrawn:
            opened = opened.noting(a_decision(DecisionKind.WITHDRAWN, supersedes=opening.digest))
        return opened.history()

    @property
    def entries(self) -> list[Entry]:
        return [history.entries[0] for history in self.histories.values()]

    def opened(
        self, request: OpeningRequest, *, synthetic: bool = True, fictitious: bool = True
    ) -> tuple[str, r.OpeningRecord]:
        premiums = the_configuration().premiums.model_copy(update={"fictitious": fictitious})
        configuration = the_configuration().model_copy(update={"premiums": premiums})
        return open_cycle(
            request, configuration, self.entries, self.histories.__getitem__, synthetic=synthetic
        )


SUPPLEMENTARY = f"2026-{NOTICE}-supplementary-"


def test_the_first_annual_run_is_round_one() -> None:
    cycle, opening = Openings().opened(a_request())
    assert cycle == CYCLE
    assert (opening.round, opening.occasion, opening.run_id) == (1, Occasion.ANNUAL, "manual__1")


def test_the_configuration_is_stored_as_it_was_when_the_cycle_opened() -> None:
    _, opening = Openings().opened(a_request())
    assert opening.configuration == the_configuration().model_dump(mode="json")
    assert opening.configuration_sha256 == the_configuration().digest()


def test_a_configuration_under_another_digest_is_no_opening() -> None:
    with pytest.raises(ValueError, match="configuration_sha256"):
        r.OpeningRecord.model_validate({**an_opening().model_dump(), "configuration_sha256": a_digest("x")})


def test_a_second_annual_run_is_refused_and_names_the_first() -> None:
    with pytest.raises(Conflict, match=CYCLE) as caught:
        Openings(CYCLE).opened(a_request(run_id="manual__2"))
    assert "取下げ" in caught.value.advice


def test_after_a_withdrawal_the_annual_run_is_opened_as_round_two() -> None:
    cycle, opening = Openings(CYCLE, withdrawn=(CYCLE,)).opened(a_request(run_id="manual__2"))
    assert cycle == f"2026-{NOTICE}-annual-02"
    assert opening.round == 2


def test_a_withdrawn_first_and_a_standing_second_round_refuse_a_third() -> None:
    second = f"2026-{NOTICE}-annual-02"
    with pytest.raises(Conflict, match=second):
        Openings(CYCLE, second, withdrawn=(CYCLE,)).opened(a_request())


def test_supplementary_runs_are_counted_by_themselves() -> None:
    openings = Openings(CYCLE, SUPPLEMENTARY + "01", SUPPLEMENTARY + "02")
    cycle, opening = openings.opened(a_request(occasion=Occasion.SUPPLEMENTARY, reason_code="moved_in"))
    assert (cycle, opening.round) == (SUPPLEMENTARY + "03", 3)


def test_a_supplementary_run_does_not_hold_up_the_annual_one() -> None:
    cycle, _ = Openings(SUPPLEMENTARY + "01").opened(a_request())
    assert cycle == CYCLE


def test_another_fiscal_year_is_another_count() -> None:
    cycle, _ = Openings(CYCLE).opened(a_request(fiscal_year=2027))
    assert cycle == f"2027-{NOTICE}-annual-01"


@pytest.mark.parametrize("code", ["", "Annual", "氏名の誤り", "corrected "])
def test_a_reason_that_is_not_registered_is_refused_without_repeating_it(code: str) -> None:
    with pytest.raises(Refused, match="理由コード") as caught:
        Openings().opened(a_request(reason_code=code))
    assert all(known in caught.value.advice for known in REASONS_JA)
    assert "氏名" not in str(caught.value)


def test_invented_premiums_never_run_in_a_real_ledger() -> None:
    with pytest.raises(Refused, match="見本（架空）") as caught:
        Openings().opened(a_request(), synthetic=False)
    assert "fictitious を false に" in caught.value.advice


def test_true_premiums_run_in_a_real_ledger() -> None:
    _, opening = Openings().opened(a_request(), synthetic=False, fictitious=False)
    assert opening.synthetic is False


@given(rounds=st.integers(0, 98))
def test_every_id_is_a_cycle_id(rounds: int) -> None:
    earlier = [
        entry.model_copy(update={"cycle": f"{SUPPLEMENTARY}{number:02d}"})
        for number, entry in enumerate(_ONE_SUPPLEMENTARY.entries * rounds, 1)
    ]
    history = _ONE_SUPPLEMENTARY.histories[SUPPLEMENTARY + "01"]
    cycle, _ = open_cycle(
        a_request(occasion=Occasion.SUPPLEMENTARY),
        the_configuration(),
        earlier,
        lambda _: history,
        synthetic=True,
    )
    assert TypeAdapter(CycleId).validate_python(cycle) == f"{SUPPLEMENTARY}{rounds + 1:02d}"


_ONE_SUPPLEMENTARY = Openings(SUPPLEMENTARY + "01")


@pytest.mark.parametrize(
    ("changes", "route"),
    [
        ({}, "lgwan"),
        ({"without": ("computer/ward-lgwan",)}, "manual"),
        ({"alter": {"computer/ward-lgwan": {"purpose": "庁内端末"}}}, "manual"),
        ({"alter": {"computer/ward-lgwan": {"party": "example_print"}}}, "manual"),
        ({"alter": {"computer/ward-lgwan": {"valid_until": date(2026, 6, 30)}}}, "manual"),
    ],
)
def test_without_a_coupled_terminal_the_officers_upload_is_the_default(
    changes: dict[str, Any], route: str
) -> None:
    opened = by_default_route(the_configuration(), a_register(**changes), DAY)
    assert opened.notice.route == route
    assert opened.model_copy(update={"notice": the_configuration().notice}) == the_configuration()


@pytest.mark.parametrize("route", ["manual", "dvd"])
def test_another_route_of_the_catalogue_stays(route: str) -> None:
    notice = the_configuration().notice.model_copy(update={"route": route})
    known = the_configuration().model_copy(update={"notice": notice})
    assert by_default_route(known, a_register(without=("computer",)), DAY) == known


# ---- rehearsals and reprints


def supplementary(reason: str, **changes: Any) -> OpeningRequest:
    known = {"occasion": Occasion.SUPPLEMENTARY, "reason_code": reason, "batch_no": "2026-08"}
    return a_request(**(known | changes))


def handed_over(cycle: str = CYCLE) -> Openings:
    openings = Openings(cycle)
    openings.histories[cycle] = a_cycle(cycle=cycle).up_to(r.HandoverRecord).history()
    return openings


PULLED = "差出し前にすべて抜き取った"


def test_a_rehearsal_is_a_supplementary_run_of_invented_data() -> None:
    cycle, opening = Openings().opened(supplementary("rehearsal"))
    assert (cycle, opening.reason_code, opening.synthetic) == (SUPPLEMENTARY + "01", "rehearsal", True)
    with pytest.raises(Refused, match="当初の発送回としては"):
        Openings().opened(a_request(reason_code="rehearsal"))
    with pytest.raises(Refused, match="架空データの台帳"):
        Openings().opened(supplementary("rehearsal"), synthetic=False, fictitious=False)


def test_an_annual_run_names_its_preparation_and_another_none() -> None:
    entry = a_cycle().history().entries[0]
    openings = Openings()

    def prepared(request: OpeningRequest) -> str | None:
        _, record = open_cycle(
            request,
            the_configuration(),
            [],
            openings.histories.__getitem__,
            synthetic=True,
            preparation=entry,
        )
        return record.prepared

    assert prepared(a_request()) == entry.digest
    assert prepared(supplementary("moved_in")) is None


def test_a_drill_is_a_run_of_invented_data_for_a_notice_that_goes_by_line() -> None:
    _, opening = Openings().opened(supplementary("drill"))
    assert (opening.reason_code, opening.synthetic) == ("drill", True)
    with pytest.raises(Refused, match="LGWAN 停止の訓練は、当初の発送回としては"):
        Openings().opened(a_request(reason_code="drill"))
    with pytest.raises(Refused, match="LGWAN 停止の訓練は、架空データの台帳"):
        Openings().opened(supplementary("drill"), synthetic=False, fictitious=False)
    known = the_configuration()
    by_disc = known.model_copy(update={"notice": known.notice.model_copy(update={"route": "dvd"})})
    with pytest.raises(Refused, match="はじめから DVD で渡します"):
        open_cycle(supplementary("drill"), by_disc, [], Openings().histories.__getitem__, synthetic=True)


def test_a_reprint_names_its_parent_and_what_became_of_the_letters() -> None:
    _, opening = handed_over().opened(supplementary("reprint", reprint_of=CYCLE, originals=PULLED))
    assert (opening.reprint_of, opening.originals) == (CYCLE, PULLED)
    _, other = handed_over().opened(supplementary("moved_in"))
    assert (other.reprint_of, other.originals) == (None, None)


def test_letters_that_were_all_posted_cannot_have_been_pulled() -> None:
    delivered = a_cycle().up_to(r.DeliveryRecord)
    envelopes = delivered[r.DeliveryRecord].envelopes_delivered
    request = supplementary("reprint", reprint_of=CYCLE, originals=PULLED)

    def after_posting(count: int) -> Openings:
        posted = Posted(
            receipt_number="1", party="", envelopes=count, post_office="架空郵便局", posted_at=OPENED_AT
        )
        openings = Openings(CYCLE)
        openings.histories[CYCLE] = delivered.noting(posted).history()
        return openings

    all_out = delivered.noting(taken_after_delivery(delivered, envelopes=envelopes))
    nothing_left = Openings(CYCLE)
    nothing_left.histories[CYCLE] = all_out.history()
    assert nothing_left.opened(request)[1].reprint_of == CYCLE
    assert after_posting(envelopes - 1).opened(request)[1].reprint_of == CYCLE
    with pytest.raises(Refused, match="すべて差し出したと記録されています"):
        after_posting(envelopes).opened(request)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (supplementary("reprint"), "もとの発送回の番号が要ります"),
        (
            supplementary("reprint", reprint_of=SUPPLEMENTARY + "09", originals=PULLED),
            "もとの発送回の番号が要ります",
        ),
        (supplementary("reprint", reprint_of=CYCLE), "二通届くおそれ"),
        (supplementary("reprint", reprint_of=CYCLE, originals="差し出した"), "二通届くおそれ"),
        (supplementary("moved_in", reprint_of=CYCLE), "「再作成」のときだけ"),
        (supplementary("moved_in", originals=PULLED), "「再作成」のときだけ"),
    ],
)
def test_a_reprint_that_might_bring_two_letters_is_refused(request_: OpeningRequest, words: str) -> None:
    with pytest.raises(Refused, match=words):
        handed_over().opened(request_)


def test_what_was_not_handed_over_is_redone_not_reprinted() -> None:
    with pytest.raises(Refused, match="まだ引き渡されていません") as caught:
        Openings(CYCLE).opened(supplementary("reprint", reprint_of=CYCLE, originals=PULLED))
    assert "やり直し" in caught.value.advice


# ---- a batch goes out once

BATCH, FIRST = "2026-08-01", SUPPLEMENTARY + "01"


class OfOneBatch(Openings):
    """Dispatches of one batch, each with what was told of it and how far it has come."""

    def __init__(self, *opened: ACycle) -> None:
        super().__init__()
        self.histories = {cycle.id: cycle.history() for cycle in opened}


def of_batch(cycle: str = FIRST, **opening: Any) -> ACycle:
    """A dispatch that has left the ward."""
    changes = {"batch_no": BATCH, "reason_code": "corrected", **opening}
    return a_cycle(cycle=cycle).with_(opening=changes).up_to(r.HandoverRecord)


def again(**changes: Any) -> OpeningRequest:
    return supplementary("corrected", run_id="manual__2", **({"batch_no": BATCH} | changes))


def test_a_batch_given_a_second_time_is_refused_and_the_first_dispatch_named() -> None:
    with pytest.raises(Conflict, match=f"{BATCH} は、発送回 {FIRST} で使われています") as caught:
        OfOneBatch(of_batch().up_to(r.OpeningRecord)).opened(again())
    assert f"続きは {FIRST} の画面" in caught.value.advice
    assert "取下げ" in caught.value.advice


def test_a_batch_that_has_left_is_made_again_only_as_a_reprint() -> None:
    with pytest.raises(Conflict, match=FIRST) as caught:
        OfOneBatch(of_batch()).opened(again(reason_code="moved_in"))
    assert f"理由「再作成」、もとの発送回 {FIRST}" in caught.value.advice
    reprint = again(reason_code="reprint", reprint_of=FIRST, originals=PULLED)
    cycle, opening = OfOneBatch(of_batch()).opened(reprint)
    assert (cycle, opening.batch_no) == (SUPPLEMENTARY + "02", BATCH)


def test_a_second_reprint_names_the_first_reprint_as_its_parent() -> None:
    second, third = SUPPLEMENTARY + "02", SUPPLEMENTARY + "03"
    replaced = {"reason_code": "reprint", "reprint_of": FIRST, "originals": PULLED}
    openings = OfOneBatch(of_batch(), of_batch(second, **replaced))
    with pytest.raises(Conflict, match=f"発送回 {second} で使われています"):
        openings.opened(again(**replaced))
    assert openings.opened(again(**(replaced | {"reprint_of": second})))[0] == third


def test_the_batch_of_a_withdrawn_dispatch_may_be_given_again() -> None:
    opened = of_batch().up_to(r.OpeningRecord)
    opening = opened.history().entries[0]
    withdrawn = opened.noting(a_decision(DecisionKind.WITHDRAWN, supersedes=opening.digest))
    assert OfOneBatch(withdrawn).opened(again())[0] == SUPPLEMENTARY + "02"
    given_up = of_batch().noting(r.HandoverRecalled(left={}, reason_code="drill", decided_by=TANTO))
    assert OfOneBatch(given_up).opened(again())[0] == SUPPLEMENTARY + "02"


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_no": "2026-08-02"},
        {"fiscal_year": 2027},
        {"reason_code": "rehearsal"},
        {"reason_code": "drill"},
    ],
)
def test_what_is_no_second_letter_is_opened(changes: dict[str, Any]) -> None:
    assert OfOneBatch(of_batch()).opened(again(**changes))


def test_a_rehearsal_does_not_use_a_batch_up_and_another_notice_has_its_own() -> None:
    assert OfOneBatch(of_batch(reason_code="rehearsal")).opened(again())
    assert OfOneBatch(of_batch(notice="reminder")).opened(again())


def test_the_yearly_batch_is_no_supplementary_one_and_a_spent_batch_no_yearly_one() -> None:
    with pytest.raises(Conflict, match=CYCLE):
        OfOneBatch(of_batch(CYCLE, batch_no="2026-annual")).opened(again(batch_no="2026-annual"))
    with pytest.raises(Conflict, match=FIRST):
        OfOneBatch(of_batch(batch_no="2026-annual")).opened(a_request())


def test_a_parent_of_another_notice_is_no_parent() -> None:
    other, openings = "2026-reminder-supplementary-01", handed_over()
    history = openings.histories[CYCLE]
    opening = history.entries[0]
    of_another = opening.model_copy(update={"cycle": other, "data": {**opening.data, "notice": "reminder"}})
    openings.histories[other] = CycleHistory([of_another, *history.entries[1:]])
    with pytest.raises(Refused, match="もとの発送回の番号が要ります"):
        openings.opened(supplementary("reprint", reprint_of=other, originals=PULLED))
