"""How requests reach the model: the part of the Gateway API that a ModelDeployment fills in.

What an HTTPRoute would refuse later is refused here, where the user sees it.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from sluice.api.rules import cel, validated
from sluice.api.schema import Schema

HOSTNAME_PATTERN: Final = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
"""Gateway API, Hostname."""
SUBDOMAIN_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
"""Names of Gateways and listeners: RFC 1123."""
LABEL_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""Names of namespaces: RFC 1123."""
PATH_PATTERN: Final = r"^/([A-Za-z0-9/._~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2})*$"
"""Gateway API, HTTPPathMatch: the characters of RFC 3986."""


class ParentRef(Schema):
    """A listener that the route attaches to, as in the Gateway API."""

    name: Annotated[
        str, Field(min_length=1, max_length=253, pattern=SUBDOMAIN_PATTERN, description="Name of the Gateway.")
    ]
    namespace: Annotated[
        str | None,
        Field(
            max_length=63,
            pattern=LABEL_PATTERN,
            description="Namespace of the Gateway; absent: the ModelDeployment's. Its listeners must allow routes from "
            "this namespace.",
        ),
    ] = None
    section_name: Annotated[
        str | None,
        Field(
            max_length=253,
            pattern=SUBDOMAIN_PATTERN,
            description="Listener of the Gateway; absent: all of them.",
        ),
    ] = None


class PathMatch(Schema):
    """A condition on the request's path."""

    type: Annotated[Literal["PathPrefix", "Exact"], Field(description="PathPrefix (whole path elements) or Exact.")] = (
        "PathPrefix"
    )
    value: Annotated[
        str,
        Field(
            max_length=1024,
            pattern=PATH_PATTERN,
            description="The path, beginning with a slash, e.g. /v2/models.",
            json_schema_extra=validated(
                cel(
                    "!self.matches('//|/[.][.]?(/|$)|%2[fF]')",
                    "value must be a plain path: no empty, '.' or '..' elements and no encoded slash, e.g. /v2/models",
                )
            ),
        ),
    ] = "/"


class RouteMatch(Schema):
    """Which requests belong to this model."""

    path: Annotated[PathMatch, Field(description="Condition on the path.")] = PathMatch()


class Gateway(Schema):
    """An HTTPRoute that Sluice owns, named like the ModelDeployment."""

    parent_refs: Annotated[
        tuple[ParentRef, ...],
        Field(
            min_length=1,
            max_length=8,
            description="Gateways (and listeners) that carry the traffic.",
            json_schema_extra=validated(
                cel(
                    "self.all(parent, self.exists_one(other, other == parent))",
                    "parentRefs names the same listener twice; remove one of the two",
                )
            ),
        ),
    ]
    hostnames: Annotated[
        tuple[
            Annotated[
                str,
                Field(
                    min_length=1,
                    max_length=253,
                    pattern=HOSTNAME_PATTERN,
                    description="A hostname in lower case, e.g. delay.example.com or *.example.com.",
                ),
            ],
            ...,
        ],
        Field(max_length=16, description="Hostnames that the requests carry; absent: those of the listener."),
    ] = ()
    matches: Annotated[
        tuple[RouteMatch, ...],
        Field(max_length=8, description="Which requests belong to this model; absent: all of the hostname."),
    ] = ()


class Traffic(Schema):
    """How requests reach the model."""

    gateway: Annotated[Gateway, Field(description="A route owned by Sluice on the named gateways.")]
