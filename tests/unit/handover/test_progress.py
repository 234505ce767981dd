"""What the log of an upload says: bytes, rate and what is left."""

import logging

import pytest

from notice_cycle.handover.progress import Passage
from notice_cycle_airflow import sending


@pytest.mark.parametrize(
    ("passage", "said"),
    [
        (Passage("a.age", 50, 200, 50, 10.0), "a.age: 50 / 200 バイト（25%）、毎秒 0.0 MB、残り約30秒。"),
        (
            Passage("a.age", 600_000_000, 2_000_000_000, 500_000_000, 50.0),
            "a.age: 600,000,000 / 2,000,000,000 バイト（30%）、毎秒 10.0 MB、残り約2分。",
        ),
        (
            Passage("a.age", 200, 200, 200, 10.0),
            "a.age: 200 / 200 バイト（100%）、毎秒 0.0 MB、終わりました。",
        ),
        (Passage("a.age", 100, 200, 0, 0.0), "a.age: 100 / 200 バイト（50%）。"),
        (Passage("empty", 0, 0, 0, 0.0), "empty: 0 / 0 バイト（100%）。"),
    ],
)
def test_a_passage_reads_as_a_person_asks(passage: Passage, said: str) -> None:
    assert passage.text_ja == said


def test_the_log_of_an_upload_tells_it_every_ten_seconds_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was there before it went on counts as done, not as moved."""
    moments = iter([0.0, 4.0, 11.0, 20.0, 20.0])
    monkeypatch.setattr(sending.time, "monotonic", lambda: next(moments))
    tell = sending._progress()
    with caplog.at_level(logging.INFO, logger=sending.__name__):
        for done in (4_000_000, 20_000_000, 40_000_000):
            tell("p1.csv.age.part", done, 40_000_000)
    assert caplog.messages == [
        "p1.csv.age.part: 20,000,000 / 40,000,000 バイト（50%）、毎秒 2.3 MB、残り約9秒。",
        "p1.csv.age.part: 40,000,000 / 40,000,000 バイト（100%）、毎秒 2.2 MB、終わりました。",
    ]
