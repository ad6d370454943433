"""Which requests fail on purpose?"""

import pytest
from pydantic import ValidationError

from sluice_model_server.faults import FaultPlan, Faults
from sluice_model_server.settings import Settings


def faults(plan: FaultPlan, *, background: float = 0.0, host: str = "pod-a") -> Faults:
    return Faults(plan, background_error_share=background, host=host)


def drawn(plan: Faults, count: int = 200) -> list[bool]:
    return [plan.fails() for _ in range(count)]


def test_nothing_is_wrong_unless_asked_for():
    plan = faults(FaultPlan())
    assert not plan.active
    assert not any(drawn(plan))
    assert not any(plan.must_exit(mirrored=False) for _ in range(1000))


def test_a_seed_repeats_on_one_host_and_differs_between_hosts():
    plan = FaultPlan(error_share=0.5, seed=3)
    assert drawn(faults(plan)) == drawn(faults(plan))
    assert drawn(faults(plan)) != drawn(faults(plan, host="pod-b"))
    assert drawn(faults(FaultPlan(error_share=0.5))) != drawn(faults(FaultPlan(error_share=0.5)))


@pytest.mark.parametrize(("plan", "background", "share"), [(0.5, 0.01, 0.505), (0.0, 0.02, 0.02), (1.0, 0.5, 1.0)])
def test_shares_of_independent_causes_combine(plan, background, share):
    combined = faults(FaultPlan(error_share=plan, seed=1), background=background)
    assert combined.active
    assert combined.error_share == pytest.approx(share)
    assert sum(drawn(combined, 20_000)) / 20_000 == pytest.approx(share, abs=0.02)


def test_delays_are_fixed_or_lognormal_and_never_longer_than_a_minute():
    assert faults(FaultPlan(delay_seconds=0.6)).delay() == 0.6
    plan = faults(FaultPlan(delay_seconds=0.06, delay_sigma=0.5, seed=3))
    delays = sorted(plan.delay() for _ in range(2000))
    assert 0.057 < delays[1000] < 0.063
    assert 0.09 < delays[1680] < 0.11  # one sigma above: 0.06 * exp(0.5)
    long = faults(FaultPlan(delay_seconds=50, delay_sigma=3, seed=3))
    assert max(long.delay() for _ in range(50)) == 60


def test_only_live_requests_bring_the_exit_nearer():
    plan = faults(FaultPlan(exit_after=2))
    assert [plan.must_exit(mirrored=mirrored) for mirrored in (True, False, True, True, False)] == [False] * 4 + [True]


@pytest.mark.parametrize(
    "plan", [{"error_share": 1.1}, {"error_share": -0.1}, {"delay_seconds": 61}, {"exit_after": 0}, {"errors": 1}]
)
def test_impossible_plans_are_refused(plan):
    with pytest.raises(ValidationError):
        FaultPlan.model_validate(plan)


def test_settings_read_the_plan_and_the_pods_identity_from_the_environment(monkeypatch):
    monkeypatch.setenv("SLUICE_MODEL_FAULTS", '{"error_share":0.5,"delay_seconds":0.6,"exit_after":100}')
    monkeypatch.setenv("SLUICE_MODEL_BACKGROUND_ERROR_SHARE", "0.001")
    monkeypatch.setenv("SLUICE_REVISION", "6f9c41d2")
    monkeypatch.setenv("HOSTNAME", "m-6f9c41d2-abc")
    settings = Settings()
    assert settings.faults == FaultPlan(error_share=0.5, delay_seconds=0.6, exit_after=100)
    assert (settings.background_error_share, settings.revision, settings.hostname) == (
        0.001,
        "6f9c41d2",
        "m-6f9c41d2-abc",
    )
