"""How is the metrics store asked? As the operator asks it: the same client, the same files of credentials.

It is behind a URL, or a Service of the cluster that is reached through the API server: who may look at the cluster need
not have it forwarded. Import this module when a store is needed, as numpy comes with it.
"""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sluice.adapters.metrics.access import Access
from sluice.adapters.metrics.prometheus import PrometheusSource
from sluice.api.status import Verdict
from sluice.cli.cluster import Cluster
from sluice.cli.errors import Unreachable, Unreadable
from sluice.core.analysis.questions import Failure
from sluice.core.replay import Answer, Question
from sluice.ports import ProviderError, QueryError

PATIENCE: Final = 30.0
"""Seconds for one question."""
_SERVICE: Final = re.compile(r"([a-z0-9-]+)/((?:https?:)?[a-z0-9-]+:[a-z0-9-]+)")


class Store:
    """A metrics store that answers one question at a time, and no question twice. A context manager.

    where: its name in messages.
    """

    def __init__(self, source: PrometheusSource, where: str) -> None:
        self._source = source
        self._where = where
        self._known: dict[Question, Answer] = {}
        self._loop = asyncio.new_event_loop()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()
        self._loop.close()

    def ask(self, question: Question) -> Answer:
        """The answer; a refusal is one too if the question is optional. Raises Unreachable."""
        if question not in self._known:
            self._known[question] = self._answer(question)
        return self._known[question]

    def _answer(self, question: Question) -> Answer:
        at = datetime.fromtimestamp(question.at, UTC)
        try:
            return self._loop.run_until_complete(self._source.query(question.promql, at))
        except QueryError as refusal:
            if question.optional:
                return Failure(Verdict.QUERY_ERROR, str(refusal))
            raise Unreachable(f"{self._where}: {refusal}") from refusal
        except ProviderError as error:
            raise Unreachable(f"{self._where}: {error}; is --prometheus right, and may you reach it?") from error


def open_store(where: str, access: Path | None, cluster: Cluster) -> Store:
    """The store that `--prometheus` means. access: folder of `--prometheus-access`. Raises Unreadable."""
    if where.startswith(("http://", "https://")):
        if access is not None and not access.is_dir():
            raise Unreadable(f"--prometheus-access: there is no folder {access}")
        return Store(PrometheusSource(where, PATIENCE, access), where)
    named = _SERVICE.fullmatch(where)
    if named is None:
        raise Unreadable(f"--prometheus: {where!r} is neither a URL nor NAMESPACE/SERVICE:PORT")
    door = cluster.door()
    url = f"{door.url}/api/v1/namespaces/{named[1]}/services/{named[2]}/proxy"
    shown = Access(headers=door.headers, verify=door.verify, cert=door.cert)
    return Store(PrometheusSource(url, PATIENCE, shown), f"Service {where} through {cluster.where}")
