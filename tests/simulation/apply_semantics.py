"""How the API server changes an object: server-side apply and JSON merge patch, as far as the operator uses them."""

from collections.abc import Mapping
from typing import Any

from sluice.ports import Object


def server_side_apply(live: Object, wanted: Object, applied: Object) -> dict[str, Any]:
    """The live object after an apply with force by the manager that applied `applied` the last time.

    Fields of the manifest take its values; fields that it applied before and no longer names go, others stay. Lists are
    atomic, except metadata.ownerReferences and metadata.finalizers, which are sets.
    """
    merged = _merged(live, wanted, applied)
    refs, had = _refs(wanted), {ref["uid"] for ref in _refs(applied)}
    mine = {ref["uid"] for ref in refs}
    others = [ref for ref in _refs(live) if ref["uid"] not in had | mine]
    if refs or others:
        merged["metadata"] = {**merged["metadata"], "ownerReferences": [*others, *refs]}
    return merged


def _merged(live: Object, wanted: Object, applied: Object) -> dict[str, Any]:
    result = {key: value for key, value in live.items() if key in wanted or key not in applied}
    for key, old in applied.items():
        if key in live and key not in wanted and isinstance(old, Mapping) and isinstance(live[key], Mapping):
            rest = _merged(live[key], {}, old)
            if rest:
                result[key] = rest
    for key, value in wanted.items():
        if isinstance(value, Mapping) and isinstance(live.get(key), Mapping):
            old = applied.get(key)
            result[key] = _merged(live[key], value, old if isinstance(old, Mapping) else {})
        else:
            result[key] = value
    return result


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def _refs(obj: Object) -> list[Any]:
    return list((obj.get("metadata") or {}).get("ownerReferences") or ())
