"""What a gateway must be able to do before traffic rests on it."""

from typing import Final

from sluice.api.names import Reason
from sluice.core.gateway_counts import COUNTS, GatewayCounts
from sluice.core.snapshot import GatewayFacts

BACKEND_FILTERS: Final = "HTTPRouteBackendRequestHeaderModification"
"""Gateway API feature: filters on a backendRef, which make a gateway count per revision."""

TESTED: Final[dict[str, frozenset[str]]] = {
    "gateway.envoyproxy.io/gatewayclass-controller": frozenset({BACKEND_FILTERS, "HTTPRouteRequestPercentageMirror"}),
}
"""Controllers that were tried, for those that leave supportedFeatures empty (Envoy Gateway 1.9, standard channel)."""


REASONS: Final = (Reason.GATEWAY_NOT_FOUND, Reason.UNSUPPORTED_BY_GATEWAY, Reason.LISTENER_NOT_FOUND)
"""What `problem` can say."""


def features(gateway: GatewayFacts) -> frozenset[str] | None:
    """What this gateway can do, or None when nobody knows."""
    if gateway.controller is None:
        return None
    return gateway.features or TESTED.get(gateway.controller)


def count_by_revision(gateways: tuple[GatewayFacts, ...]) -> bool:
    """Do all of them take filters on a backend? Without it there are no counts per revision at the gateway.

    One of which nothing is known carries no traffic now: it is no reason to write an existing route anew.
    """
    known = (features(gateway) for gateway in gateways)
    return all(BACKEND_FILTERS in listed for listed in known if listed is not None)


def counts(gateways: tuple[GatewayFacts, ...]) -> GatewayCounts | str:
    """Where all of them keep their own counts, or why those cannot be read; they must be of one kind.

    One that is not there yet is expected to be like the others.
    """
    known = [gateway for gateway in gateways if gateway.controller is not None]
    for gateway in known:
        if gateway.controller not in COUNTS:
            return (
                f"Gateway {gateway.namespace}/{gateway.ref.name} is run by {gateway.controller}, whose own counts "
                f"Sluice cannot read, only those of {', '.join(sorted(COUNTS))}: set rate.source to Server"
            )
    kinds = {COUNTS[str(gateway.controller)] for gateway in known}
    if len(kinds) > 1:
        return "the route's Gateways are of several kinds, which count in different ways: set rate.source to Server"
    return next(iter(kinds), "the route's Gateways do not exist")


def problem(gateways: tuple[GatewayFacts, ...]) -> tuple[Reason, str] | None:
    """Why no traffic can rest on these gateways, or None. Weighted backends are core: every known gateway has them."""
    for gateway in gateways:
        label = f"{gateway.namespace}/{gateway.ref.name}"
        if gateway.controller is None:
            return (
                Reason.GATEWAY_NOT_FOUND,
                f"spec.traffic.gateway.parentRefs: Gateway {label} or its GatewayClass does not exist; create it or "
                "correct the reference",
            )
        if features(gateway) is None:
            return (
                Reason.UNSUPPORTED_BY_GATEWAY,
                f"spec.traffic.gateway.parentRefs: Gateway {label} is run by {gateway.controller}, which lists no "
                f"supportedFeatures and was not tried with Sluice; use one of {', '.join(sorted(TESTED))}",
            )
        wanted = gateway.ref.section_name
        if wanted and wanted not in gateway.listeners:
            return (
                Reason.LISTENER_NOT_FOUND,
                f"spec.traffic.gateway.parentRefs: Gateway {label} has no listener {wanted}; sectionName may be "
                f"{', '.join(sorted(gateway.listeners)) or 'left out'}",
            )
    return None
