"""When is a checkpoint taken, and by which version of the code?"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sluice import __version__
from sluice.runtime.checkpoints import CHECKPOINT_ALONE, CHECKPOINT_EVERY, Checkpoints
from sluice.runtime.engine import engine_version, text_of

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
KEY = ("prod", "flights")
SECOND = timedelta(seconds=1)


def test_the_first_status_takes_one_along_and_then_one_each_few_minutes() -> None:
    checkpoints = Checkpoints()
    assert checkpoints.due(KEY, NOW, writing=True)
    assert not checkpoints.due(KEY, NOW + CHECKPOINT_EVERY - SECOND, writing=True)
    assert checkpoints.due(KEY, NOW + CHECKPOINT_EVERY, writing=True)
    assert not checkpoints.due(KEY, NOW + CHECKPOINT_EVERY + SECOND, writing=True)


def test_a_status_with_nothing_to_say_is_not_written_for_it_but_after_half_an_hour() -> None:
    """A tick without change costs no API call."""
    checkpoints = Checkpoints()
    assert not checkpoints.due(KEY, NOW, writing=False)
    assert checkpoints.due(KEY, NOW, writing=True)
    seconds = int(CHECKPOINT_ALONE.total_seconds())
    asked = [n for n in range(2 * seconds + 1) if checkpoints.due(KEY, NOW + n * SECOND, writing=False)]
    assert asked == [seconds, 2 * seconds]


def test_rollouts_do_not_wait_for_each_other() -> None:
    checkpoints = Checkpoints()
    assert checkpoints.due(KEY, NOW, writing=True)
    assert checkpoints.due(("prod", "prices"), NOW, writing=True)
    checkpoints.forget(KEY)
    assert checkpoints.due(KEY, NOW, writing=True)


def test_another_line_makes_another_version(tmp_path: Path) -> None:
    one, other = tmp_path / "latency.py", tmp_path / "rates.py"
    one.write_text("EPOCH = 5\n")
    other.write_text("EPOCH = 60\n")
    before = text_of([one, other], "numpy 2")
    assert text_of([other, one], "numpy 2") == before
    assert text_of([one, other], "numpy 3") != before
    one.write_text("EPOCH = 6\n")
    assert text_of([one, other], "numpy 2") != before
    assert engine_version() == engine_version()
    assert engine_version().startswith(f"{__version__} ")
