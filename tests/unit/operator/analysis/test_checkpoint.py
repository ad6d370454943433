"""The evidence as one string: what goes on from it knows the same, and what does not fit is not gone on from."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from sluice.api.status import CHECKPOINT_LIMIT
from sluice.api.v1alpha1 import Check, LatencyCheck, RateCheck, VersusStable
from sluice.core.analysis import checkpoint as module
from sluice.core.analysis.checkpoint import NotUsable, TooLarge, decoded, encoded, resumed, taken
from sluice.core.analysis.comparison import Comparison
from sluice.core.analysis.counters import Counters
from sluice.core.analysis.eprocess import MaximumTest
from sluice.core.analysis.judge import Judge
from sluice.core.analysis.ledger import Ledger
from sluice.core.analysis.rate_bets import RateBets, RateState
from sluice.core.analysis.saved import Saved, flat, unflat
from sluice.core.analysis.sight import Sight
from sluice.core.analysis.slowdown_bets import SlowdownBets
from sluice.core.analysis.threshold import Threshold
from sluice.core.analysis.warmup import WarmUp
from sluice.ports import ProviderError
from sluice_dev.restart.replay import NO_EVIDENCE, compare
from sluice_dev.restart.same import differences

BOTH = Check(name="errors", type="Rate", rate=RateCheck(max=Decimal("0.05"), versus_stable=VersusStable()))


async def watched(world: Any, until: float = 100, *checks: Check) -> Any:
    """A subject that was watched for so long, with both arms under traffic; the store tells no past of stable."""
    for second in range(1, 400, 2):
        world.store.scrape(second, ok=20 * second, failed=second // 5, slow=second // 3)
        world.store.scrape(second + 0.5, ok=180 * second, failed=second, slow=second, pod=world.stable_pod)
    subject = world.subject(*(checks or (BOTH, world.latency, world.clicks)))
    world.poller.track("flights", subject)
    await world.run(until)
    return subject


def judge_of(world: Any, poller: Any = None) -> Judge:
    judge: Judge = (poller or world.poller)._watched["flights"].judge
    return judge


# --- it goes on where the other one was -------------------------------------------------------------------------------


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", [6, 16, 19, 35])
async def test_whoever_goes_on_from_it_knows_what_the_one_knows_that_went_on(seed: int) -> None:
    """Pods come and go, counters are reset, weights step, scrapes fail: 500 such worlds are `make bench-restart`."""
    assert (await compare(seed)).differences == ()


@pytest.mark.parametrize("part", [Comparison, Counters, Ledger, MaximumTest, Sight, Threshold, WarmUp])
async def test_a_part_that_is_forgotten_shows(world: Any, part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the comparison above would prove nothing."""
    warm = Check(name="latency", type="Latency", latency=LatencyCheck(slo=timedelta(milliseconds=250)))
    subject = await watched(world, 100, BOTH, warm, world.clicks)
    checkpoint = taken(judge_of(world), "1") or ""

    def forgotten() -> list[str]:
        return list(differences(resumed(subject, 0.0, checkpoint, "1"), judge_of(world), NO_EVIDENCE))

    assert forgotten() == []
    monkeypatch.setattr(part, "restore", lambda *_: None)
    assert forgotten()


async def test_a_restart_asks_only_about_what_came_since(world: Any) -> None:
    subject = await watched(world)
    checkpoint = world.poller.checkpoint("flights")
    await world.run(110)
    world.store.asked.clear()
    restarted = world.new_poller()
    restarted.track("flights", subject, checkpoint)
    assert not world.observe(poller=restarted).caught_up, "it has not read what came since"
    await restarted.poll_once()
    windows = [promql.rpartition("[")[2] for promql, _ in world.store.asked if promql.endswith("s]")]
    assert windows == ["20s]"] * 3, "no question about stable's past, and none about what is known"
    assert sum(promql.startswith("clicks") for promql, _ in world.store.asked) == 1
    assert world.observe(poller=restarted) == world.observe()


async def test_what_failed_before_the_restart_has_failed(world: Any) -> None:
    for second in range(1, 60, 2):
        world.store.scrape(second, ok=20 * second, failed=20 * second)
    world.poller.track("flights", world.subject(world.errors))
    await world.run(60)
    assert world.verdicts() == ["Fail"]
    restarted = world.new_poller()
    restarted.track("flights", world.subject(world.errors), world.poller.checkpoint("flights"))
    world.store.samples.clear()
    assert [check.verdict for check in world.observe(poller=restarted).checks] == ["Fail"]


# --- when there is none -----------------------------------------------------------------------------------------------


async def test_there_is_none_before_the_history_is_read_and_none_while_the_store_is_silent(world: Any) -> None:
    assert world.poller.checkpoint("flights") is None
    world.poller.track("flights", world.subject())
    assert world.poller.checkpoint("flights") is None
    await world.run(2)
    assert world.poller.checkpoint("flights") is not None
    world.store.error = lambda promql: ProviderError("down")
    await world.run(4)
    assert world.poller.checkpoint("flights") is None


async def test_there_is_none_of_samples_that_were_not_understood(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong in the evidence now would be so after each restart."""
    await watched(world, 10)
    monkeypatch.setattr(Judge, "read", lambda *_: 1 / 0)
    await world.run(11)
    monkeypatch.undo()
    await world.run(13)
    assert world.observe().caught_up
    assert world.poller.checkpoint("flights") is None


async def test_one_that_is_too_large_is_none(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await watched(world, 10)
    monkeypatch.setattr(module, "CHECKPOINT_LIMIT", 1000)
    with pytest.raises(TooLarge, match=r"it has [0-9]+ characters, at most 1000 fit"):
        taken(judge_of(world), "1")
    assert world.poller.checkpoint("flights") is None


async def test_a_plain_query_without_an_answer_is_measured_again(world: Any) -> None:
    await watched(world, 50)
    world.store.error = lambda promql: ProviderError("down") if promql.startswith("clicks") else None
    await world.run(75)
    checkpoint = world.poller.checkpoint("flights")
    world.store.error = lambda promql: None
    restarted = world.new_poller()
    restarted.track("flights", judge_of(world).subject, checkpoint)
    world.store.asked.clear()
    await restarted.poll_once()
    assert sum(promql.startswith("clicks") for promql, _ in world.store.asked) == 8


# --- what is not gone on from -----------------------------------------------------------------------------------------


def broken(text: str) -> str:
    body = bytearray(base64.b64decode(text[2:]))
    body[40] ^= 1
    return text[:2] + base64.b64encode(bytes(body)).decode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"candidate": "00000000"}, "another revision", id="revision"),
        pytest.param({"stable": "00000000"}, "another stable", id="stable"),
        pytest.param({"name": "prices"}, "another object", id="object"),
        pytest.param({"alpha": 0.02}, "another falseRollback", id="alpha"),
        pytest.param({"checks": (BOTH,)}, "another set of checks", id="checks"),
        pytest.param({"largest_share": 0.1}, "another largest weight", id="weight"),
    ],
)
async def test_it_is_for_the_same_question_only(world: Any, change: dict[str, Any], reason: str) -> None:
    subject = await watched(world, 5)
    with pytest.raises(NotUsable, match=reason):
        resumed(replace(subject, **change), 0.0, taken(judge_of(world), "1") or "", "1")


async def test_it_is_for_the_same_rollout_and_the_same_code_only(world: Any) -> None:
    subject = await watched(world, 5)
    later = replace(subject, started_at=subject.started_at + timedelta(seconds=1))
    with pytest.raises(NotUsable, match="it was taken with another engine, another start"):
        resumed(later, 0.0, taken(judge_of(world), "1") or "", "2")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(broken, "its checksum is wrong", id="a bit"),
        pytest.param(lambda text: text[:-8], "its checksum is wrong", id="cut off"),
        pytest.param(lambda text: "1.no", "cannot be read|checksum", id="no base64"),
        pytest.param(lambda text: "", "another format", id="empty"),
        pytest.param(lambda text: "2" + text[1:], "another format", id="format"),
    ],
)
async def test_what_cannot_be_read_is_not_used_and_everything_is_read_again(
    world: Any, spoil: Callable[[str], str], reason: str
) -> None:
    subject = await watched(world)
    spoilt = spoil(world.poller.checkpoint("flights") or "")
    with pytest.raises(NotUsable, match=reason):
        decoded(spoilt)
    restarted = world.new_poller()
    restarted.track("flights", subject, spoilt)
    await restarted.poll_once()
    assert world.observe(poller=restarted) == world.observe()


async def test_what_does_not_fit_is_not_used(world: Any) -> None:
    subject = await watched(world, 5)
    saved, basis = decoded(taken(judge_of(world), "1") or "")
    del saved.numbers["answered/sums"]
    with pytest.raises(NotUsable, match="its contents do not fit: KeyError"):
        resumed(subject, 0.0, encoded(saved, basis), "1")


def test_a_small_text_cannot_fill_the_memory() -> None:
    text = encoded(Saved({"zeros": np.zeros(600_000)}), {})
    assert len(text) < CHECKPOINT_LIMIT
    with pytest.raises(NotUsable, match="cannot be read"):
        decoded(text)


# --- how it is written ------------------------------------------------------------------------------------------------


def test_every_bit_and_shape_comes_back() -> None:
    numbers = {
        "none": np.zeros((0, 3)),
        "one": np.array(0.1 + 0.2),
        "special": np.array([[-np.inf, np.nan], [5e-324, -0.0]]),
    }
    saved, basis = decoded(encoded(Saved(numbers, {"pods": ("a", "b"), "nobody": ()}), {"engine": "1"}))
    assert {name: (one.shape, one.tobytes()) for name, one in saved.numbers.items()} == {
        name: (one.shape, one.tobytes()) for name, one in numbers.items()
    }
    assert saved.words == {"pods": ("a", "b"), "nobody": ()}
    assert basis == {"engine": "1"}


@pytest.mark.parametrize(
    "bets",
    [
        RateBets(1.3, promotion_margin=0.003),
        SlowdownBets((0.1, 0.25, 0.5), 1.3),
        SlowdownBets((0.1, 0.25, 0.5), 1.3, proof=1),
    ],
    ids=str,
)
def test_bets_and_their_state_come_back(bets: Any) -> None:
    state = bets.nothing()
    assert unflat(type(bets), flat(bets)) == bets
    assert list(differences(unflat(type(state), flat(state)), state)) == []


def test_a_state_that_is_no_number_is_refused() -> None:
    @dataclass(frozen=True)
    class Named:
        name: str

    with pytest.raises(TypeError, match=r"Named\.name cannot be saved: 'x' is no number"):
        flat(Named("x"))
    with pytest.raises(TypeError, match="nobody knows how to make"):
        unflat(Named, Saved({"name": np.zeros(1)}))
    with pytest.raises(KeyError):
        unflat(RateState, Saved())


def test_what_differs_is_told() -> None:
    one, other = RateState(), replace(RateState(), log_e=1.0)
    assert list(differences(one, one)) == []
    assert list(differences(one, other)) == [".log_e: 0.0, 1.0"]
