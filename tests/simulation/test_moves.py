"""People and faults in any order that Hypothesis can think of, and the shortest one that breaks an invariant."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from simulation.invariants.table import all_checkers
from simulation.models import Behaviour, Model
from simulation.runner import quiet
from simulation.scenario import HARMLESS_FAULTS, Fault, Move, Phase, Scenario
from simulation.world import World

MODELS = tuple(
    Model(f"model-{behaviour}", behaviour)
    for behaviour in (Behaviour.GOOD, Behaviour.GOOD, Behaviour.ERRORS, Behaviour.EXITS, Behaviour.NEVER_READY)
)
MODELS = (Model("first"), *MODELS[1:])
models = st.integers(0, len(MODELS) - 1)
seconds = st.floats(0.5, 14).map(lambda value: round(value, 1))


class Moves(RuleBasedStateMachine):
    """One world; each rule is something that happens in it."""

    @initialize(operators=st.sampled_from((1, 2)), blind=st.sampled_from(("6s", "Never")))
    def install(self, operators: int, blind: str) -> None:
        quiet()
        scenario = Scenario(seed=1, models=MODELS, phases=(), operators=operators, blind_deadline=blind)
        self.world = World(scenario, all_checkers())
        self.world.start()
        self.world.play(Phase(Move("publish", 0)))

    @rule(model=models, wait=seconds)
    def publish(self, model: int, wait: float) -> None:
        self.world.play(Phase(Move("publish", model), wait=wait))

    @rule(verb=st.sampled_from(("abort", "retry")), model=models, wait=seconds)
    def demand(self, verb: str, model: int, wait: float) -> None:
        self.world.play(Phase(Move(verb, model), wait=wait))

    @rule(what=st.sampled_from(("pause", "resume")), wait=seconds)
    def hold(self, what: str, wait: float) -> None:
        self.world.play(Phase(Move(what), wait=wait))

    @rule(replicas=st.integers(1, 3), wait=seconds)
    def scale(self, replicas: int, wait: float) -> None:
        self.world.play(Phase(Move("scale", replicas), wait=wait))

    @rule(fault=st.sampled_from([what for what, _, _ in HARMLESS_FAULTS]), lasts=seconds, detail=st.floats(0, 0.99))
    def harm(self, fault: str, lasts: float, detail: float) -> None:
        self.world.strike(Fault(fault, 0.0, lasts, detail))
        self.world.advance(lasts / 2)

    @rule(wait=seconds)
    def wait(self, wait: float) -> None:
        self.world.advance(wait)

    @invariant()
    def nothing_is_violated(self) -> None:
        if hasattr(self, "world"):
            assert not self.world.violations, self._story()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.world.finish()
            assert not self.world.violations, self._story()
        finally:
            self.world.close()

    def _story(self) -> str:
        return "\n".join((*self.world.log, *self.world.violations))


Moves.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestMoves = Moves.TestCase
