"""Where does a gateway keep its own counts of what it sent to each pod, and what came of it?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class GatewayCounts:
    """The counters that a gateway exposes for each endpoint of a route. All are of one scrape.

    sent: counter of requests. under_way: gauge of those without an end. succeeded, failed: counters of outcomes. A
    request that is in none of these three any more was given up by the client.
    """

    sent: str
    under_way: str
    succeeded: str
    failed: str
    route_label: str
    """The label that names the route, among others."""
    route_prefix: str
    """How its value begins for every backend of the route {namespace}/{name}, mirrors included."""
    address_label: str
    """The label with the endpoint's address and port."""
    remedy: str
    """What to do if it exposes none of this."""

    @property
    def selector(self) -> str:
        """All its metrics, as alternatives of a regular expression."""
        return "|".join((self.sent, self.under_way, self.succeeded, self.failed))

    def prefix(self, namespace: str, name: str) -> str:
        """How the label of a route begins; names of objects need no escaping in a regular expression."""
        return self.route_prefix.format(namespace=namespace, name=name)

    def matcher(self, routes: Iterable[tuple[str, str]]) -> str:
        """The label matcher of all these routes, by namespace and name."""
        wanted = "|".join(sorted({self.prefix(namespace, name) for namespace, name in routes}))
        return f'{self.route_label}=~"({wanted}).*"'

    def host(self, labels: Mapping[str, str]) -> str:
        """The address of the endpoint that a series is about, without its port; empty if it names none."""
        return host_of(labels.get(self.address_label, ""))


def host_of(address: str) -> str:
    """`"10.244.0.7:8080"` -> `"10.244.0.7"`; `"[fd00::7]:8080"` -> `"fd00::7"`."""
    host, colon, _ = address.rpartition(":")
    return (host if colon else address).strip("[]")


ENVOY_GATEWAY: Final = GatewayCounts(
    sent="envoy_cluster_endpoint_rq_total",
    under_way="envoy_cluster_endpoint_rq_active",
    succeeded="envoy_cluster_endpoint_rq_success",
    failed="envoy_cluster_endpoint_rq_error",
    route_label="envoy_cluster_name",
    route_prefix="httproute/{namespace}/{name}/rule/",
    address_label="envoy_endpoint_address",
    remedy="set spec.telemetry.metrics.enablePerEndpointStats in its EnvoyProxy and have Prometheus scrape all of its "
    "proxies (docs/how-to/gateway-counts.md)",
)

COUNTS: Final[Mapping[str, GatewayCounts]] = {
    "gateway.envoyproxy.io/gatewayclass-controller": ENVOY_GATEWAY,
}
"""By controllerName of the GatewayClass: those that were tried."""
