"""What do the files say of the gateways that a route is attached to?"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.api.v1alpha1 import ParentRef
from sluice.core.gateway_counts import COUNTS, ENVOY_GATEWAY

Named = Mapping[tuple[str, str], Mapping[str, Any]]
"""Objects by namespace and name."""


@dataclass(frozen=True, slots=True)
class Gateways:
    """The objects in the files beside the ModelDeployments; none says nothing, as they may be in the cluster."""

    gateways: Named
    classes: Named
    proxies: Named
    """EnvoyProxies."""

    def troubles(self, parents: Iterable[ParentRef]) -> Iterator[str]:
        """Why the own counts of a route's gateways cannot be read, as far as the files tell."""
        for parent in parents:
            for (namespace, name), gateway in self.gateways.items():
                if name == parent.name and parent.namespace in (None, namespace):
                    yield from self._trouble(f"{namespace}/{name}", namespace, gateway)

    def _trouble(self, label: str, namespace: str, gateway: Mapping[str, Any]) -> Iterator[str]:
        spec = _part(gateway, "spec")
        found = self.classes.get(("", str(spec.get("gatewayClassName"))), {})
        controller = _part(found, "spec").get("controllerName")
        if controller is None:
            return
        if controller not in COUNTS:
            yield (
                f"Gateway {label} is run by {controller}, whose own counts Sluice cannot read, so a rollout would be "
                f"stalled with QueryError; there are {', '.join(sorted(COUNTS))}"
            )
        elif COUNTS[controller] is ENVOY_GATEWAY:
            own = _part(_part(spec, "infrastructure"), "parametersRef")
            of_class = _part(_part(found, "spec"), "parametersRef")
            place = (namespace, own.get("name")) if own else (of_class.get("namespace"), of_class.get("name"))
            proxy = self.proxies.get((str(place[0]), str(place[1])))
            if proxy is not None and not _counts_endpoints(proxy):
                yield (
                    f"the EnvoyProxy {place[0]}/{place[1]} of Gateway {label} does not count for each pod, so a "
                    "candidate would get no weight; set its spec.telemetry.metrics.enablePerEndpointStats"
                )


def gateways_of(objects: Iterable[Mapping[str, Any]]) -> Gateways:
    """The gateways among the objects of the files."""
    found: dict[str, dict[tuple[str, str], Mapping[str, Any]]] = {"Gateway": {}, "GatewayClass": {}, "EnvoyProxy": {}}
    for one in objects:
        metadata = _part(one, "metadata")
        if (kind := str(one.get("kind"))) in found:
            namespace = "" if kind == "GatewayClass" else str(metadata.get("namespace", "default"))
            found[kind][namespace, str(metadata.get("name"))] = one
    return Gateways(found["Gateway"], found["GatewayClass"], found["EnvoyProxy"])


NO_GATEWAYS = gateways_of(())


def _counts_endpoints(proxy: Mapping[str, Any]) -> bool:
    metrics = _part(_part(_part(proxy, "spec"), "telemetry"), "metrics")
    return metrics.get("enablePerEndpointStats") is True


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside of another one; an empty one where it is missing, or is none."""
    part = whole.get(name)
    return part if isinstance(part, Mapping) else {}
