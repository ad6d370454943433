"""CEL rules: what a schema cannot say, refused by the API server with a sentence that says what to do."""

from collections.abc import Callable
from typing import Any, Final

VALIDATIONS: Final = "x-kubernetes-validations"


def cel(rule: str, message: str, **more: str) -> dict[str, str]:
    """One entry of x-kubernetes-validations: the API server puts the field's path before the message.

    `messageExpression` (CEL) may say more than `message`, which then is what a user sees if it cannot be evaluated.
    """
    return {"rule": rule, "message": message, **more}


def validated(*rules: dict[str, str]) -> Callable[[dict[str, Any]], None]:
    """json_schema_extra that adds CEL rules to those which the field's type brings along."""

    def add(schema: dict[str, Any]) -> None:
        schema[VALIDATIONS] = [*schema.get(VALIDATIONS, ()), *rules]

    return add


def form(pattern: str, words: str) -> dict[str, str]:
    """The field's pattern in words: the API server's own message only repeats the regular expression."""
    return cel(f"self.matches(r'{pattern}')", f"must be {words}")


def positive(field: str, example: str) -> dict[str, str]:
    """The quantity has a digit that is not 0. Read as text, so a malformed one is left to the rule of its form."""
    return cel("self.matches('[1-9]')", f"{field} must be longer than 0, e.g. {example}")


def share(field: str) -> dict[str, str]:
    """A percentage between its two ends: at 0% one loss decides, at 100% none ever does."""
    return cel("self.matches('[1-9]') && self != '100%'", f"{field} must be above 0% and below 100%, e.g. 5%")
