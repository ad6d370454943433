"""What all objects of the API have in common: their base class, and the form of names."""

from typing import Final

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

NAME_PATTERN: Final = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
"""Names of ModelDeployments, steps and checks."""
NAME_LIMIT: Final = 32
"""Longest name of those, in characters: with more, Kubernetes cuts the names of pods that carry a revision."""

SUBDOMAIN_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
"""Names of Secrets and of most objects of Kubernetes (RFC 1123)."""


class Schema(BaseModel):
    """Base of every API object: camelCase outside, immutable inside, unknown fields left to the API server."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")
