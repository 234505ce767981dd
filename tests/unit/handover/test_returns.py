"""返却確認書: one form, two records, on the disc's route only; the closing waits for both."""

from datetime import timedelta
from typing import Any

import pytest
from tests.builders import CYCLE, OPENED_AT, a_cycle, a_digest, an_answer, on_disc
from tests.unit.register.world import a_register

from notice_cycle import records as r
from notice_cycle.closing import close
from notice_cycle.confirmations import Staff
from notice_cycle.errors import Differs, Refused
from notice_cycle.handover.returns import Given, Returns
from notice_cycle.ledger.chain import Verdict
from notice_cycle.ledger.history import CycleHistory

PACKAGE = f"{CYCLE}-p1"
AFTER = "2026-07-20 10:00"


def delivered(*facts: r.Fact, last: type[r.Record] = r.DeliveryConfirmationRecord) -> CycleHistory:
    """A cycle that went out on two discs, up to the confirmed delivery."""
    return a_cycle().with_(handover=on_disc(2)).up_to(last).noting(*facts).history()


def returned(*facts: r.Fact, **changes: str) -> tuple[r.Fact, ...]:
    fields: dict[str, Any] = {
        "discs_returned_at": AFTER,
        "discs_giver": "印刷 次郎",
        "discs_taker": "石川 恵",
        "discs_quantity": "2",
        "discs_filed_under": "26介保第96号",
        "notices_returned_at": AFTER,
        "notices_giver": "印刷 太郎",
        "notices_taker": "青木 一郎",
        "notices_quantity": "1",
        "notices_filed_under": "26介保第97号",
    }
    given = an_answer("返却を受けた", **(fields | changes))
    late = given.model_copy(update={"at": OPENED_AT + timedelta(days=60)})
    return Returns().judge(late, delivered(*facts))


def test_it_is_asked_only_where_discs_went_out() -> None:
    assert Returns().applies(delivered())
    assert not Returns().applies(a_cycle().up_to(r.DeliveryConfirmationRecord).history())


def test_one_answer_is_two_records_with_their_own_numbers() -> None:
    media, notices = returned()
    assert isinstance(media, r.MediaReturn)
    assert isinstance(notices, r.PassphraseReturn)
    assert media.confirmation_number == f"{PACKAGE}-媒体返却確認書"
    assert notices.confirmation_number == f"{PACKAGE}-パスワード返却確認書"
    assert (media.quantity, media.giver, media.taker) == (2, "印刷 次郎", "石川 恵")
    assert (notices.quantity, notices.filed_under) == (1, "26介保第97号")


def test_the_records_bear_the_numbers_of_the_papers_that_were_printed() -> None:
    """After the delivery was redone the papers were printed again, under the next number."""
    again = [
        r.ConfirmationPrinted(
            form="returns",
            number=f"{PACKAGE}-{name}{ending}",
            after=a_digest(ending),
            document_sha256=a_digest("pdf"),
            printed_at=OPENED_AT,
        )
        for ending in ("", "-2")
        for name in ("媒体返却確認書", "パスワード返却確認書")
    ]
    numbers = [fact.confirmation_number for fact in returned(*again)]  # type: ignore[attr-defined]
    assert numbers == [f"{PACKAGE}-媒体返却確認書-2", f"{PACKAGE}-パスワード返却確認書-2"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"discs_quantity": "1"}, r"返された媒体の数量（1）が、渡した数量（2）"),
        ({"notices_quantity": "2"}, r"返されたパスワード通知書の数量（2）が、渡した数量（1）"),
        ({"discs_returned_at": "2026-07-01 09:00"}, "媒体の返却の日時が、納品より前"),
        ({"notices_returned_at": "2026-07-01 09:00"}, "パスワード通知書の返却の日時が、納品より前"),
        ({"discs_filed_under": ""}, "入力されていません"),
    ],
)
def test_what_does_not_agree_is_refused(changes: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said):
        returned(**changes)


@pytest.mark.parametrize("field", ["discs_quantity", "notices_quantity"])
def test_another_quantity_is_a_difference_that_stays_open(field: str) -> None:
    with pytest.raises(Differs):
        returned(**{field: "3"})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"discs_giver": "受領 太郎"}, "2026-07-20の取扱者名簿にない.*「媒体: 取扱者.*受領 太郎"),
        (
            {"notices_giver": "配達 次郎", "notices_returned_at": "2026-07-21 09:00"},
            "2026-07-21の取扱者名簿にない.*「パスワード通知書: 取扱者.*配達 次郎",
        ),
    ],
)
def test_who_gave_back_must_be_on_the_roster_of_that_day(changes: dict[str, str], said: str) -> None:
    staff = Staff(a_register())
    Returns().compare(returned(), delivered(), staff)
    with pytest.raises(Differs, match=said):
        Returns().compare(returned(**changes), delivered(), staff)


def test_the_form_is_answered_when_both_stand_and_a_kill_between_them_loses_nothing() -> None:
    media, notices = returned()
    form = Returns()
    assert form.standing(delivered()) is None
    assert form.standing(delivered(media)) is None
    assert returned(media) == (notices,)
    standing = form.standing(delivered(media, notices))
    assert standing is not None
    assert standing.kind == "passphrase_return"


def test_before_the_delivery_there_is_no_form() -> None:
    before = a_cycle().with_(handover=on_disc(2)).up_to(r.DeliveryRecord).history()
    with pytest.raises(Refused, match="納品確認書"):
        Returns().body(before)


def test_a_replaced_packages_discs_come_back_too() -> None:
    history = delivered()
    again = CycleHistory([*history.entries, *delivered().entries])
    assert Given.of(again).discs == 4


def test_a_cycle_does_not_close_before_both_came_back() -> None:
    verdict = Verdict(entries=9, head="a" * 64, first_bad=None, reason_ja="一致しています。")
    media, notices = returned()
    with pytest.raises(Refused, match=r"返却確認書（媒体）、返却確認書（パスワード）"):
        close(delivered(last=r.DestructionRecord), verdict, at=OPENED_AT)
    with pytest.raises(Refused, match="返却確認書（パスワード）") as refused:
        close(delivered(media, last=r.DestructionRecord), verdict, at=OPENED_AT)
    assert "返却確認書（媒体）" not in refused.value.message
    closed = close(delivered(media, notices, last=r.DestructionRecord), verdict, at=OPENED_AT)
    assert {"media_return", "passphrase_return"} < set(closed.evidence)
