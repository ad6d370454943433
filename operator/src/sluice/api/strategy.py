"""How a new revision takes over."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from sluice.api.quantities import Duration
from sluice.api.rules import cel, validated
from sluice.api.schema import NAME_LIMIT, NAME_PATTERN, Schema


class CanaryStep(Schema):
    """One share of the live traffic, held until its evidence is in."""

    name: Annotated[
        str | None,
        Field(
            max_length=NAME_LIMIT,
            pattern=NAME_PATTERN,
            description="Name shown in status and Events; absent: made of the step's position.",
        ),
    ] = None
    weight: Annotated[
        int, Field(ge=1, le=100, description="Percent of the live requests that the candidate serves, 1 to 100.")
    ]
    min_duration: Annotated[
        Duration,
        Field(
            description="Least time with this weight really live, e.g. 5m; time at another weight does not count. 0s: "
            "no time is asked for."
        ),
    ] = timedelta(minutes=1)
    min_samples: Annotated[
        int,
        Field(ge=0, le=1_000_000_000, description="Least requests that the candidate answered in this step."),
    ] = 100


class Canary(Schema):
    """Rising shares of the live traffic."""

    steps: Annotated[
        tuple[CanaryStep, ...],
        Field(
            min_length=1,
            max_length=32,
            description="Steps in order; all traffic follows after the last one. Absent: 1, 5, 25 and 50 percent.",
            # macros with two variables (index and step) need Kubernetes 1.33
            json_schema_extra=validated(
                cel(
                    "self.all(i, step, i == 0 || self[i - 1].weight <= step.weight)",
                    "a weight is below the step before it; weights must not fall",
                    messageExpression=(
                        "self.transformList(i, step, i > 0 && self[i - 1].weight > step.weight, "
                        "'spec.strategy.canary.steps[%d].weight: %d is below the step before it (%d); "
                        "weights must not fall'.format([i, step.weight, self[i - 1].weight]))[0]"
                    ),
                ),
                cel(
                    "self.all(step, !has(step.name) || self.exists_one(other, has(other.name) && "
                    "other.name == step.name))",
                    "two steps have the same name; names of steps must differ",
                    messageExpression=(
                        "self.transformList(i, step, has(step.name) && self.exists(j, other, j < i && "
                        "has(other.name) && other.name == step.name), "
                        "'spec.strategy.canary.steps[%d].name: %s is the name of another step; names of steps must "
                        "differ'.format([i, step.name]))[0]"
                    ),
                ),
            ),
        ),
    ] = tuple(CanaryStep(name=f"weight-{w}", weight=w) for w in (1, 5, 25, 50))


class Strategy(Schema):
    """How a new revision takes over. `type` names the member that holds the settings."""

    model_config = ConfigDict(
        json_schema_extra=validated(
            cel(
                "self.type == 'Canary' || !has(self.canary)",
                "canary is set but type names another strategy; set only the member that type names",
            )
        )
    )
    type: Annotated[Literal["Canary"], Field(description="Canary: rising shares of the live traffic.")]
    canary: Annotated[Canary | None, Field(description="Settings of type Canary; absent: its default steps.")] = None
