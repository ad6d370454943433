"""What an answer of the Kubernetes API means for the caller: an object, or one of the errors of the ports."""

import json
import re
from collections.abc import Mapping
from typing import Any

from sluice.ports import ClusterError, Conflict, NotFound, Object, Refused, Unavailable

REFUSED_STATUS = range(400, 500)
"""A client error that is none of the ones below will be the same error next time."""

LATER_STATUS = frozenset({401, 408, 410, 429})
"""401: the token is being rotated; it is read again before the next request. 410: a list token that expired."""

_UNTYPED = "failed to create typed patch object"
"""Server-side apply answers 500 for a manifest that does not fit the schema (an unknown field, a wrong type), although
the manifest is at fault: Kubernetes 1.36, tests/apiserver/test_cluster_contract.py."""

_OTHER_UID = re.compile("UID in (the )?precondition")
"""The two ways in which the API server says that the object to delete is not the one of that uid."""


def read_object(what: str, status: int, body: bytes) -> Object:
    """The object in the body of a 2xx answer.

    what: the request in words (`patch HTTPRoute shop/m`), the beginning of every error message.
    Raises Conflict, NotFound, Refused, Unavailable.
    """
    if not 200 <= status < 300:
        raise error_of(what, status, body)
    try:
        answer = json.loads(body)
    except ValueError as broken:
        raise Unavailable(f"{what}: the answer is not JSON ({broken})") from broken
    if not isinstance(answer, dict):
        raise Unavailable(f"{what}: the answer is not a JSON object")
    return answer


def error_of(what: str, status: int, body: bytes) -> ClusterError:
    """The ports' error for an answer that is not 2xx, with the API's own reason and message."""
    details = _status(body)
    reason = str(details.get("reason") or f"HTTP{status}")
    message = f"{what}: {details.get('message') or body[:300].decode(errors='replace')} ({status} {reason})"
    if status == 404:
        return NotFound(message)
    if status == 409:
        return Conflict(message)
    if status == 500 and _UNTYPED in message:
        return Refused(message, "Invalid")
    if status in REFUSED_STATUS and status not in LATER_STATUS:
        return Refused(message, reason)
    return Unavailable(message)


def another_has_the_name(conflict: Conflict) -> bool:
    """True when a deletion failed since the object that was meant is gone and another one has its name."""
    return _OTHER_UID.search(str(conflict)) is not None


def _status(body: bytes) -> Mapping[str, Any]:
    """The `Status` object that the API server sends with an error; empty when a proxy answered instead of it."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
