"""What the gateways say about a route, as one word for the core."""

from typing import Any

import pytest

from sluice.adapters.kube.facts import route_facts
from sluice.core.snapshot import RouteState


def condition(kind: str, status: str = "True", reason: str = "Fine", generation: int = 4) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": "words", "observedGeneration": generation}


def route(*parents: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Generation 4 of a route with these parents; None: that gateway has not answered."""
    names = [f"gateway-{number}" for number in range(len(parents))]
    said = [
        {"parentRef": {"name": name}, "conditions": conditions}
        for name, conditions in zip(names, parents, strict=True)
        if conditions is not None
    ]
    return {
        "metadata": {"name": "flights", "namespace": "shop", "uid": "u", "resourceVersion": "9", "generation": 4},
        "spec": {"parentRefs": [{"name": name} for name in names], "rules": []},
        "status": {"parents": said},
    }


GOOD = [condition("Accepted"), condition("ResolvedRefs")]


@pytest.mark.parametrize(
    ("parents", "state", "words"),
    [
        ((GOOD,), RouteState.VERIFIED, ""),
        ((GOOD, GOOD), RouteState.VERIFIED, ""),
        ((GOOD, None), RouteState.PENDING, "Gateway gateway-1 has not answered for generation 4"),
        (([condition("Accepted", generation=3), condition("ResolvedRefs")],), RouteState.PENDING, "has not answered"),
        (
            (GOOD, [condition("Accepted", "False", "NotAllowedByListeners"), condition("ResolvedRefs")]),
            RouteState.REFUSED,
            "Gateway gateway-1: NotAllowedByListeners: words",
        ),
        (
            ([condition("Accepted"), condition("ResolvedRefs", "False", "BackendNotFound")],),
            RouteState.PENDING,
            "Gateway gateway-0: BackendNotFound: words",
        ),
    ],
    ids=["one", "both", "one is silent", "an older generation", "refused", "a backend is not known yet"],
)
def test_what_the_gateways_say(parents: tuple[Any, ...], state: RouteState, words: str) -> None:
    facts = route_facts(route(*parents))
    assert facts.state is state
    assert words in facts.message
