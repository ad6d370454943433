"""What happens in a world, as plain data: a seed makes one, and a part of one is one again, so failures shrink."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from simulation.models import Behaviour, Model


@dataclass(frozen=True, slots=True)
class Move:
    """What a person does. argument: the model's place in the list, a number of pods, or nothing."""

    what: str
    argument: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong. at, lasts: seconds, from the beginning of its phase. argument: as the fault needs it."""

    what: str
    at: float
    lasts: float = 0.0
    argument: float = 0.0


@dataclass(frozen=True, slots=True)
class Phase:
    """A move and the faults after it. wait: seconds until the next phase; None: until things have settled."""

    move: Move
    faults: tuple[Fault, ...] = ()
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole world.

    crashes: numbers of the action boundaries (counted over the whole world) at which the operator is killed.
    steps: (weight, minDuration in seconds, minSamples). rate: requests/s.
    """

    seed: int
    models: tuple[Model, ...]
    phases: tuple[Phase, ...]
    crashes: frozenset[int] = frozenset()
    operators: int = 1
    rate: float = 100.0
    replicas: int = 2
    steps: tuple[tuple[int, int, int], ...] = ((10, 2, 30), (50, 2, 40))
    blind_deadline: str = "8s"
    foreign: bool = False
    versus: bool = False
    gateway: bool = False
    """Whether a check judges the gateway's own counts."""
    tags: frozenset[str] = field(default_factory=frozenset)

    @property
    def calm(self) -> bool:
        """Every move waits for the one before it to settle: then the end depends on the moves alone."""
        return all(phase.wait is None for phase in self.phases)

    def undisturbed(self) -> "Scenario":
        """The same moves in a world where nothing goes wrong."""
        phases = tuple(replace(phase, faults=()) for phase in self.phases)
        return replace(self, phases=phases, crashes=frozenset())

    def smaller(self) -> Iterator["Scenario"]:
        """Scenarios with one thing less, the largest things first."""
        for i in reversed(range(1, len(self.phases))):
            yield replace(self, phases=self.phases[:i] + self.phases[i + 1 :])
        for i, phase in enumerate(self.phases):
            for j in range(len(phase.faults)):
                less = replace(phase, faults=phase.faults[:j] + phase.faults[j + 1 :])
                yield replace(self, phases=(*self.phases[:i], less, *self.phases[i + 1 :]))
        for crash in sorted(self.crashes):
            yield replace(self, crashes=self.crashes - {crash})
        if self.operators > 1:
            yield replace(self, operators=1)
        if self.foreign:
            yield replace(self, foreign=False)

    def story(self) -> str:
        """In words, one line per phase."""
        lines = [
            f"seed {self.seed}: {self.operators} operators, {self.rate:g} requests/s, steps {self.steps}, "
            f"blindDeadline {self.blind_deadline}, crashes at {sorted(self.crashes)}, foreign {self.foreign}, "
            f"versus stable {self.versus}, gateway's counts {self.gateway}"
        ]
        for phase in self.phases:
            move = f"{phase.move.what} {phase.move.argument}"
            if phase.move.what in ("publish", "retry", "abort"):
                model = self.models[phase.move.argument]
                move = f"{phase.move.what} {model.name} ({model.behaviour})"
            lines.append(f"  {move}, then {'settle' if phase.wait is None else f'{phase.wait:.1f} s'}")
            lines.extend(f"    {f.at:.1f} s: {f.what} for {f.lasts:.1f} s ({f.argument:.3g})" for f in phase.faults)
        return "\n".join(lines)


HARMLESS_FAULTS: Final = (
    ("api-outage", 1, 14),
    ("api-flaky", 5, 25),
    ("api-refuses", 2, 6),
    ("watch-slow", 3, 15),
    ("watch-lossy", 2, 8),
    ("watch-repeats", 5, 20),
    ("prometheus-down", 3, 25),
    ("prometheus-hung", 3, 25),
    ("prometheus-blank", 3, 25),
    ("prometheus-amnesia", 1, 4),
    ("gateway-slow", 4, 15),
    ("evict-candidate", 0, 0),
    ("evict-stable", 0, 0),
    ("lose-candidate", 0, 0),
    ("lose-stable", 0, 0),
    ("container-exit", 0, 0),
    ("operator-killed", 0, 0),
    ("operator-stopped", 0, 0),
    ("operator-frozen", 12, 40),
    ("night", 5, 20),
    ("runtime-gone", 3, 25),
)
"""(fault, shortest, longest duration in seconds). None of them may change where a calm world ends."""


GATEWAY_EVERY: Final = 20
"""Of so many seeds one is a world with a check on the gateway's counts."""
HARSH_EVERY: Final = 10
"""Of so many seeds the last one is a harsh world."""


def generate(seed: int) -> Scenario:
    """The world of this seed."""
    if seed % HARSH_EVERY == HARSH_EVERY - 1:
        return _harsh(seed)
    if seed % GATEWAY_EVERY == GATEWAY_EVERY - 5:
        return _with_gateway(_mixed(seed))
    return _mixed(seed)


def _with_gateway(scenario: Scenario) -> Scenario:
    """The same world with a check on the gateway's counts; what failed or was slow there hangs."""
    hanging = (Behaviour.ERRORS, Behaviour.SLOW)
    models = tuple(replace(m, behaviour=Behaviour.HANGS) if m.behaviour in hanging else m for m in scenario.models)
    return replace(scenario, models=models, gateway=True)


def _mixed(seed: int) -> Scenario:
    """All faults and all kinds of models."""
    random = Random(seed)
    models = tuple(_model(random, number, seed) for number in range(random.choice((2, 3, 3, 4))))
    models = (replace(models[0], behaviour=Behaviour.GOOD), *models[1:])
    calm = random.random() < 0.6
    phases = [Phase(Move("publish", 0), _faults(random) if random.random() < 0.15 else ())]
    for _ in range(random.choice((1, 1, 2, 2, 3))):
        wait = None if calm or random.random() < 0.3 else round(random.uniform(1, 22), 1)
        move = _move(random, models)
        if move.what == "publish" and random.random() < 0.3:
            phases.extend(_interfered(random, move))
        else:
            phases.append(Phase(move, _faults(random), wait))
    if phases[1].move.what not in ("publish", "delete"):
        phases[1] = replace(phases[1], move=Move("publish", 1))
    crashes = frozenset(random.sample(range(1, 90), random.choice((1, 1, 2, 3)))) if random.random() < 0.5 else ()
    return Scenario(
        seed=seed,
        models=models,
        phases=tuple(phases),
        crashes=frozenset(crashes),
        operators=random.choice((1, 1, 2)),
        rate=random.choice((60.0, 100.0, 200.0)),
        replicas=random.choice((1, 2, 2, 3)),
        steps=random.choice((((10, 2, 30), (50, 2, 40)), ((20, 3, 40),), ((8, 1, 30), (25, 2, 40), (50, 0, 0)))),
        blind_deadline=random.choice(("6s", "8s", "8s", "10s", "Never")),
        foreign=random.random() < 0.06,
        versus=random.random() < 0.3,
    )


HOLDS: Final = {"pause": 9.0, "recheck": 5.0}
"""Seconds until something else is done after these moves; after others things settle."""


@dataclass(frozen=True, slots=True)
class Focus:
    """What worlds are to be about.

    faults: of HARMLESS_FAULTS, in each rollout; at, lasts: when, in seconds, of its phase; argument: None means any.
    verbs: what people do in the middle. hurried: the next model is published in the middle. load: seconds.
    """

    faults: tuple[str, ...] = ()
    behaviours: tuple[Behaviour, ...] = (Behaviour.GOOD,)
    verbs: tuple[str, ...] = ()
    at: tuple[float, float] = (5, 13)
    lasts: float = 20.0
    argument: float | None = None
    load: float = 0.6
    hurried: bool = False
    steps: tuple[tuple[int, int, int], ...] = ((10, 2, 30), (50, 2, 40))
    crash: bool = False
    foreign: bool = False
    versus: bool = False
    operators: int = 1
    gateway: bool = False


def focused(seed: int, focus: Focus) -> Scenario:
    """A world of this seed that is about one thing."""
    random = Random(seed)
    models = [Model(f"{seed}-0", load=0.6)]
    phases = [Phase(Move("publish", 0))]
    for number in (1, 2):
        models.append(Model(f"{seed}-{number}", random.choice(focus.behaviours), load=focus.load))
        details = [random.random() if focus.argument is None else focus.argument for _ in focus.faults]
        faults = tuple(
            Fault(what, round(random.uniform(*focus.at), 1), focus.lasts, detail)
            for what, detail in zip(focus.faults, details, strict=True)
        )
        wait = round(random.uniform(7, 14), 1) if focus.verbs or focus.hurried else None
        phases.append(Phase(Move("publish", number), faults, wait))
        phases.extend(Phase(Move(verb, number), wait=HOLDS.get(verb)) for verb in focus.verbs)
    crashes = frozenset(random.sample(range(30, 130), 6)) if focus.crash else frozenset()
    return Scenario(
        *(seed, tuple(models), tuple(phases)),
        crashes=crashes,
        operators=focus.operators,
        steps=focus.steps,
        foreign=focus.foreign,
        gateway=focus.gateway,
        versus=focus.versus,
    )


def _harsh(seed: int) -> Scenario:
    """Requests get lost, happen late or twice all the time, and people publish in the middle of it."""
    random = Random(seed)
    bad = random.choice((Behaviour.ERRORS, Behaviour.SLOW, Behaviour.EXITS))
    behaviours = (Behaviour.GOOD, random.choice((Behaviour.GOOD, bad)), random.choice((Behaviour.GOOD, bad)))
    models = tuple(Model(f"{seed}-{n}", behaviour, load=0.6) for n, behaviour in enumerate(behaviours))
    phases = [Phase(Move("publish", 0))]
    for number in random.choice(((1,), (2,), (1, 2), (2, 1), (1, 2, 1))):
        faults = [Fault("api-flaky", round(random.uniform(0, 9), 1), 40.0, 0.99)]
        if random.random() < 0.6:
            kind = random.choice((0.0, 0.3, 0.4))  # the resource, the route, the endpoints: see faults.TROUBLED
            faults.append(Fault("watch-slow", round(random.uniform(4, 12), 1), round(random.uniform(4, 12), 1), kind))
        wait = None if random.random() < 0.4 else round(random.uniform(8, 16), 1)
        phases.append(Phase(Move("publish", number), tuple(faults), wait))
    return Scenario(seed, models, tuple(phases), operators=random.choice((1, 2)), rate=200.0, replicas=2)


def _interfered(random: Random, publish: Move) -> Iterator[Phase]:
    """A rollout with which somebody interferes on the way; what was taken back is perhaps tried again."""
    yield Phase(publish, _faults(random), round(random.uniform(4, 16), 1))
    verb = random.choice(("abort", "abort", "pause", "pause", "scale"))
    argument = publish.argument if verb == "abort" else random.choice((1, 3))
    yield Phase(Move(verb, argument), wait=None if random.random() < 0.4 else round(random.uniform(2, 14), 1))
    if verb == "pause":
        yield Phase(Move("resume"), wait=round(random.uniform(0.5, 9), 1))
    elif random.random() < 0.6:
        yield Phase(Move("retry", publish.argument), _faults(random), None)


def _model(random: Random, number: int, seed: int) -> Model:
    behaviour = random.choices(tuple(Behaviour), weights=(30, 20, 10, 20, 10, 10, 0))[
        0
    ]  # good, errors, slow, exits, never ready, image missing; hanging ones are put in by _with_gateway
    return Model(
        f"{seed}-{number}", behaviour, load=random.choice((0.6, 1.5, 3.0, 9.0)), exits_after=random.choice((8, 15))
    )


def _move(random: Random, models: tuple[Model, ...]) -> Move:
    what = random.choices(("publish", "abort", "retry", "pause", "resume", "scale", "delete"), (60, 8, 10, 6, 6, 8, 2))[
        0
    ]
    if what in ("publish", "abort", "retry"):
        return Move(what, random.randrange(len(models)))
    return Move(what, random.choice((1, 2, 4)) if what == "scale" else 0)


def _faults(random: Random) -> tuple[Fault, ...]:
    count = random.choices((0, 1, 2, 3), (25, 35, 25, 15))[0]
    faults = []
    for what, least, most in random.sample(HARMLESS_FAULTS, count):
        lasts = round(random.uniform(least, most), 1)
        faults.append(Fault(what, round(random.uniform(0, 22), 1), lasts, random.random()))
    return tuple(sorted(faults, key=lambda fault: fault.at))
