"""How the operator finds its API server: KUBECONFIG if it is set, else the pod's ServiceAccount."""

import os
from pathlib import Path

import kopf
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

CONNECT_TIMEOUT = 2.0
"""Seconds for TCP and TLS."""

USER_AGENT = "sluice-operator"


class NoCluster(Exception):
    """Neither KUBECONFIG nor a ServiceAccount names an API server."""


async def connect(kubeconfig: str | None = None) -> ApiClient:
    """A client for the cluster of `kubeconfig` (a path; None: $KUBECONFIG, else in-cluster, else ~/.kube/config).

    In a pod the token file is read again every minute, since the kubelet rotates it. Raises NoCluster.
    """
    configuration = Configuration()
    path = kubeconfig or os.environ.get("KUBECONFIG")
    try:
        if path or not os.environ.get("KUBERNETES_SERVICE_HOST"):
            await config.load_kube_config(
                config_file=path or str(Path.home() / ".kube" / "config"), client_configuration=configuration
            )
        else:
            config.load_incluster_config(client_configuration=configuration)
    except (config.ConfigException, OSError) as missing:
        raise NoCluster(
            f"no Kubernetes API server: {missing}. Set KUBECONFIG, or run in a pod with a ServiceAccount."
        ) from missing
    configuration.retries = None
    configuration.connection_pool_maxsize = 16
    client = ApiClient(configuration)
    client.user_agent = USER_AGENT
    return client


async def credentials(client: ApiClient) -> kopf.ConnectionInfo:
    """The same server and credentials for kopf, so that its watches and our requests cannot part ways."""
    configuration = client.configuration
    # "bearer <token>": read again from its file when that is a minute old.
    header = await configuration.get_api_key_with_prefix("BearerToken")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        token=header.split()[-1] if header else None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
    )
