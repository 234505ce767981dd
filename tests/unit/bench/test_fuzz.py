"""Two thousand of the hundred thousand hostile inputs; and the fuzz itself notices what it looks for."""

import signal
import time
from collections.abc import Iterator

import pytest
from bench import fuzz

from notice_cycle.errors import Refused


@pytest.fixture(autouse=True)
def interrupted() -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, fuzz._hang)
    yield
    signal.signal(signal.SIGALRM, before)


def test_two_thousand_inputs_end_in_a_message_or_a_refusal_and_nothing_altered_comes_in() -> None:
    tally = fuzz.run(2_000, seed=7)
    assert (tally.crashes, tally.hangs, tally.accepted_altered) == ([], [], [])
    assert sum(ended.total() for ended in tally.ended.values()) == 2_000
    for target in ("message, JSON", "message, JSON values", "message, CSV", "enclosure, age and ZIP"):
        assert {"understood", "refused"} <= set(tally.ended[target]), target  # it gets behind the first check


def test_the_same_seed_tries_the_same() -> None:
    first, second = fuzz.run(300, seed=3), fuzz.run(300, seed=3)
    assert first.ended == second.ended
    assert fuzz.run(300, seed=4).ended != first.ended


def test_a_crash_a_hang_and_an_altered_message_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def crashing(_rng: fuzz.Rng) -> str:
        raise ValueError("not one of ours")

    def hanging(_rng: fuzz.Rng) -> str:
        time.sleep(5)
        return "understood"

    def refusing(_rng: fuzz.Rng) -> str:
        raise Refused("こちらは断り。")

    targets = (("a", crashing), ("b", hanging), ("c", lambda _rng: "ALTERED"), ("d", refusing))
    monkeypatch.setattr(fuzz, "_TARGETS", targets)
    monkeypatch.setattr(fuzz, "SECONDS_MOST", 0.05)
    tally = fuzz.run(4, seed=1)
    assert (len(tally.crashes), len(tally.hangs), len(tally.accepted_altered)) == (1, 1, 1)
    assert not tally.is_clean
    assert tally.ended["d"] == {"refused": 1}
