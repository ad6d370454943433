"""GET /openapi.json: what may be asked of this server, for the model that it serves (OpenAPI 3.1)."""

from typing import Any, Final

from sluice_model_server import __version__
from sluice_model_server.load import ServedModel
from sluice_model_server.openapi_schemas import ref, schemas

_STATUSES: Final = {
    "400": "The request is wrong; the text names the field.",
    "401": "No token, or an unknown one.",
    "408": "The body did not arrive in time.",
    "413": "The body, or its number of rows, is above the limit.",
    "415": "The body is compressed.",
    "429": "Too many requests are being answered already; see Retry-After.",
    "500": "The model failed on this request.",
    "503": "Not ready; see Retry-After.",
    "504": "No answer in time; see Retry-After.",
}
"""Statuses of errors that documents name. 404 and 405 go without saying: the paths below are all there are."""
_TEXT: Final = {"schema": {"type": "string"}}


def document(model: ServedModel, *, guarded: bool) -> dict[str, Any]:
    """The document as plain data. guarded: a token is asked for."""
    manifest = model.manifest
    paths: dict[str, Any] = {
        "/v2": _page("Name and version of the server", "ServerMetadata", guarded),
        "/v2/health/live": _page("Is the process alive?", "Live", False),
        "/v2/health/ready": _page("May it get requests?", "Ready", False, not_ready="Ready"),
        "/metrics": _text("Prometheus metrics", "text/plain", False),
        "/openapi.json": _any("This document", guarded),
        "/docs": _text("This document as a page", "text/html", guarded),
    }
    for base in model_paths(manifest.name, manifest.version):
        paths[base] = _page("Columns, outputs, classes and digest of the model", "ModelMetadata", guarded)
        paths[f"{base}/ready"] = _page("May the model get requests?", "Ready", False, not_ready="Ready")
        paths[f"{base}/infer"] = _inference(model, guarded)
    components: dict[str, Any] = {"schemas": schemas(model)}
    if guarded:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{manifest.name} {manifest.version}",
            "version": __version__,
            "description": "Open Inference Protocol V2 (REST) with the binary tensor data extension. "
            f"Model digest {model.digest}.",
        },
        "paths": paths,
        "components": components,
    }


def model_paths(name: str, version: str) -> tuple[str, str]:
    """Under which paths a model is found."""
    return f"/v2/models/{name}", f"/v2/models/{name}/versions/{version}"


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": ref(schema)}}


def _errors(*statuses: str) -> dict[str, Any]:
    return {status: {"description": _STATUSES[status], "content": _json("Error")} for status in statuses}


def _get(summary: str, content: dict[str, Any], guarded: bool, **responses: Any) -> dict[str, Any]:
    answers = {"200": {"description": "OK", "content": content}, **responses, **(_errors("401") if guarded else {})}
    return {"get": {"summary": summary, "responses": answers, **_security(guarded)}}


def _security(guarded: bool) -> dict[str, Any]:
    return {"security": [{"token": []}]} if guarded else {}


def _page(summary: str, schema: str, guarded: bool, not_ready: str | None = None) -> dict[str, Any]:
    more = {"503": {"description": _STATUSES["503"], "content": _json(not_ready)}} if not_ready else {}
    return _get(summary, _json(schema), guarded, **more)


def _text(summary: str, media: str, guarded: bool) -> dict[str, Any]:
    return _get(summary, {media: _TEXT}, guarded)


def _any(summary: str, guarded: bool) -> dict[str, Any]:
    return _get(summary, {"application/json": {"schema": {"type": "object"}}}, guarded)


def _inference(model: ServedModel, guarded: bool) -> dict[str, Any]:
    binary = {"schema": {"type": "string", "format": "binary"}}
    length = {
        "name": "Inference-Header-Content-Length",
        "in": "header",
        "description": "Bytes of the JSON, when binary tensors stand behind it.",
        "schema": {"type": "integer", "minimum": 0},
    }
    statuses = tuple(status for status in _STATUSES if guarded or status != "401")
    return {
        "post": {
            "summary": "Inference",
            "parameters": [length],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": ref("InferenceRequest"), "example": example(model)},
                    "application/octet-stream": binary,
                },
            },
            "responses": {
                "200": {
                    "description": "One label per row, and for classifiers the probabilities.",
                    "content": {**_json("InferenceResponse"), "application/octet-stream": binary},
                },
                **_errors(*statuses),
            },
            **_security(guarded),
        }
    }


def example(model: ServedModel) -> dict[str, Any]:
    """A request that this model answers: the probe's first row."""
    predictor = model.predictor
    probe = model.manifest.probe
    row = probe[0] if probe else tuple(0.0 if number else "" for number in predictor.numeric)
    if predictor.all_numeric:
        return {"inputs": [{"name": "rows", "shape": [1, len(row)], "datatype": "FP64", "data": list(row)}]}
    return {
        "inputs": [
            {"name": column.name, "shape": [1], "datatype": column.datatype, "data": [value]}
            for column, value in zip(predictor.columns, row, strict=True)
        ]
    }
