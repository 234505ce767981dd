"""アップロードの記録 and 媒体引渡確認書: asked only on their routes, and strict about order, places and quantity."""

from datetime import timedelta
from typing import Any

import pytest
from tests.builders import CYCLE, OPENED_AT, TANTO, a_cycle, a_file, an_answer

from notice_cycle import records as r
from notice_cycle.errors import Refused
from notice_cycle.handover.disc import DiscHandover
from notice_cycle.handover.upload import Upload
from notice_cycle.ledger.history import CycleHistory

PACKAGE = f"{CYCLE}-p1"
BY_HAND = r.RouteSwitched(route="manual", reason_code="contract", decided_by=TANTO)
ON_DISC = r.RouteSwitched(route="dvd", reason_code="line_down", decided_by=TANTO)
DISC = r.Disc(label="DISC-1", image=a_file("disc-1.iso", b"image"))
MADE = r.DiscsMade(package=PACKAGE, discs=(DISC,), made_at=OPENED_AT + timedelta(hours=2))
EARLIER = r.HandoverBegun(
    package=f"{CYCLE}-p9", route="lgwan", encrypted_file=a_file(f"{CYCLE}-p9.csv.age"), begun_at=OPENED_AT
)
WITHDRAWN = r.CopyWithdrawn(package=f"{CYCLE}-p9", found=(), left=(), withdrawn_at=OPENED_AT)


def history(*facts: r.Fact) -> CycleHistory:
    return a_cycle().up_to(r.EncryptionRecord).noting(*facts).history()


def uploaded(**changes: str) -> r.HandoverRecord:
    fields = {
        "uploaded_at": "2026-07-01 15:00",
        "computer": "INTRA-012",
        "uploader": "職員 一郎",
        "remote_folder": "受付",
        "digest_compared": "送信前に照合した",
        "listing": "一覧を表示しないページである",
        "deleted_at": "2026-07-01 15:10",
    }
    return Upload().judge(an_answer("アップロードした", **(fields | changes)), history(BY_HAND))


def handed(*facts: r.Fact, **changes: str) -> r.HandoverRecord:
    fields: dict[str, Any] = {
        "handed_at": "2026-07-01 15:00",
        "giver": "職員 一郎",
        "taker": "受領 太郎",
        "quantity": "1",
        "means": "手渡し",
        "tracking_number": "",
        "burnt_at": "機械室",
        "read_back": "一致した",
        "kept_in_safe": "本社2階 金庫A",
        "notice_kept_in": "本社3階 キャビネットB",
        "lgwan_copy": "送っていない",
        "signed_by": "受領 太郎",
        "filed_under": "26介保第95号",
    }
    return DiscHandover().judge(an_answer("引き渡した", **(fields | changes)), history(ON_DISC, MADE, *facts))


def test_each_form_is_asked_on_its_own_route_only() -> None:
    asked = {
        fact.route: (Upload().applies(history(fact)), DiscHandover().applies(history(fact)))
        for fact in (BY_HAND, ON_DISC)
    }
    assert asked == {"manual": (True, False), "dvd": (False, True)}
    assert not Upload().applies(history())
    assert not DiscHandover().applies(history())


def test_an_upload_is_a_hand_over() -> None:
    record = uploaded()
    assert record.route == "manual"
    assert record.manual is not None
    assert (record.manual.computer, record.manual.entered_by) == ("INTRA-012", TANTO)
    assert record.manual.listing == "一覧を表示しないページである"
    assert len(record.files) == 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"uploaded_at": "2026-07-01 09:00"}, "暗号化より前"),
        ({"deleted_at": "2026-07-01 14:59"}, "アップロードより前"),
        ({"digest_compared": "照合していない"}, "照合せず"),
        ({"listing": "並ばない・足りない"}, "そろって並んでいません"),
        ({"computer": ""}, "入力されていません"),
    ],
)
def test_an_upload_out_of_order_is_refused(changes: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said):
        uploaded(**changes)


def test_the_upload_form_shows_every_file_with_its_digest() -> None:
    body = Upload().body(history(BY_HAND))
    for file in a_cycle()[r.EncryptionRecord].files:
        assert file.name in body
        assert file.sha256 in body


def test_a_disc_is_a_hand_over() -> None:
    record = handed()
    assert record.route == "dvd"
    assert record.dvd is not None
    assert record.dvd.discs == (DISC,)
    assert record.dvd.confirmation_number == f"{PACKAGE}-媒体引渡確認書"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"handed_at": "2026-07-01 10:59"}, "イメージの作成より前"),
        ({"read_back": "一致しない・していない"}, "読み戻して一致した媒体だけ"),
        ({"quantity": "2"}, r"渡した枚数（2枚）が、作成した枚数（1枚）"),
        ({"notice_kept_in": "本社2階　金庫A"}, "保管場所が同じ"),
        ({"burnt_at": "本社2階 金庫A"}, "書き込んだ場所と"),
        ({"burnt_at": "本社3階　キャビネットB"}, "書き込んだ場所と"),
        ({"kept_in_safe": "机の引き出し"}, "金庫ではありません"),
        ({"notice_kept_in": "受付の棚"}, "鍵付きのキャビネット"),
        ({"means": "簡易書留"}, "追跡番号"),
        ({"means": "電子メール"}, "から選んでください"),
    ],
)
def test_what_the_council_paper_forbids_is_refused(changes: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said):
        handed(**changes)


@pytest.mark.parametrize(
    ("facts", "lgwan_copy", "said"),
    [
        ([EARLIER], "送っていない", "前に LGWAN で送り始めたものがあります"),
        ([EARLIER], "引き上げた", "引き上げの記録がありません"),
        (
            [EARLIER, WITHDRAWN.model_copy(update={"left": (r.RemoteFile(name="x", size_bytes=1),)})],
            "引き上げた",
            "引き上げの記録",
        ),
    ],
)
def test_nothing_can_be_printed_twice(facts: list[r.Fact], lgwan_copy: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        handed(*facts, lgwan_copy=lgwan_copy)


def test_a_withdrawn_or_unread_package_does_not_stand_in_the_way() -> None:
    assert handed(EARLIER, WITHDRAWN, lgwan_copy="引き上げた").route == "dvd"
    assert handed(EARLIER, lgwan_copy="未開封を書面で確認した").route == "dvd"


def test_the_disc_form_tells_what_may_still_lie_on_the_host() -> None:
    assert "引き上げていない" in DiscHandover().body(history(ON_DISC, MADE, EARLIER))
    assert "引き上げていない" not in DiscHandover().body(history(ON_DISC, MADE, EARLIER, WITHDRAWN))


def test_a_disc_that_was_not_made_cannot_be_handed_over() -> None:
    with pytest.raises(Refused, match="媒体のイメージがまだありません"):
        DiscHandover().body(history(ON_DISC))
