"""What makes a revision: the user's inputs, and nothing that the operator adds to them."""

import hashlib
import json
from functools import lru_cache
from typing import Any, Final

from sluice.api.analysis import Check
from sluice.api.v1alpha1 import ModelSource, RuntimeRef, Schema, Spec

LENGTH: Final = 8
"""Hexadecimal characters of a revision."""


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """First 8 hexadecimal characters of the sha256 of the canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:LENGTH]


class Inputs(Schema):
    """All that a user says about the pods of a revision."""

    model: ModelSource
    runtime: RuntimeRef
    template: dict[str, Any] = {}

    @property
    def revision(self) -> str:
        """Name of the revision.

        The address of the model is left out: the same bytes from another place are the same model, and moving a
        store must not start a rollout.
        """
        return _revision_of(self.model.digest, self.runtime, canonical(self.template))


@lru_cache(8192)  # each pass over each object asks for it
def _revision_of(model: str, runtime: RuntimeRef, template: str) -> str:
    """template: its canonical JSON."""
    return digest({"model": model, "runtime": runtime.model_dump(mode="json"), "template": json.loads(template)})


def checks_of(spec: Spec) -> str:
    """Digest of what judges a candidate: the same one means that a verdict of before still holds."""
    return _digest_of(spec.analysis.checks)


@lru_cache(1024)
def _digest_of(checks: tuple[Check, ...]) -> str:
    return digest([check.model_dump(mode="json") for check in checks])


def inputs_of(spec: Spec) -> Inputs:
    """The inputs that this spec asks for."""
    return Inputs(model=spec.model, runtime=spec.runtime, template=spec.template)
