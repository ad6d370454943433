"""Where each kind that the operator touches lives in the Kubernetes API."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sluice.api import names


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table.

    name: the word used for this kind everywhere in the operator. group: "" is the core group.
    namespaced: False means that the namespace given in a request is ignored.
    """

    name: str
    group: str
    version: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`group/version`, or only the version for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """Path of the collection (no name) or of one object. namespace None: the collection over all namespaces."""
        path = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if self.namespaced and namespace:
            path += f"/namespaces/{namespace}"
        path += f"/{self.plural}"
        if name is not None:
            path += f"/{name}"
        return path if subresource is None else f"{path}/{subresource}"


_GATEWAY = ("gateway.networking.k8s.io", "v1")

_ROWS: Final = (
    Kind(names.KIND, names.GROUP, names.VERSION, names.PLURAL),
    Kind("Deployment", "apps", "v1", "deployments"),
    Kind("ControllerRevision", "apps", "v1", "controllerrevisions"),
    Kind("Service", "", "v1", "services"),
    Kind("Pod", "", "v1", "pods"),
    Kind("EndpointSlice", "discovery.k8s.io", "v1", "endpointslices"),
    Kind("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets"),
    Kind("HTTPRoute", *_GATEWAY, "httproutes"),
    Kind("Gateway", *_GATEWAY, "gateways"),
    Kind("GatewayClass", *_GATEWAY, "gatewayclasses", namespaced=False),
    Kind("Event", "events.k8s.io", "v1", "events"),
    Kind("Lease", "coordination.k8s.io", "v1", "leases"),
)

KINDS: Final[Mapping[str, Kind]] = MappingProxyType({row.name: row for row in _ROWS})
"""Kind name -> where it lives."""
