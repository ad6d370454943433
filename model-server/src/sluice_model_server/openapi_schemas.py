"""The protocol's objects as JSON schemas, narrowed to what one model takes and answers."""

from typing import Any, Final

from sluice_model_server.datatypes import DATATYPES
from sluice_model_server.load import ServedModel
from sluice_model_server.tensors import MAX_DIMENSIONS
from sluice_model_server.v2_request import MAX_ID_LENGTH, output_names

Schema = dict[str, Any]

_PARAMETERS: Final[Schema] = {"type": "object", "description": "Unknown ones are ignored."}
_ELEMENT: Final[Schema] = {"type": ["number", "string", "boolean", "null"]}
_ID: Final[Schema] = {"type": "string", "maxLength": MAX_ID_LENGTH}


def _object(required: tuple[str, ...], **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def ref(name: str) -> Schema:
    """A schema of `schemas`, by name."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas(model: ServedModel) -> dict[str, Schema]:
    """components.schemas of the OpenAPI document."""
    outputs = {"enum": list(output_names(model.predictor))}
    datatype = {"enum": list(DATATYPES)}
    text, whole = {"type": "string"}, {"type": "integer"}
    columns = ", ".join(f"{column.name} ({column.datatype})" for column in model.predictor.columns)
    return {
        "InferenceRequest": _object(
            ("inputs",),
            id={**_ID, "description": "Sent back. Absent: the header x-request-id, else a new one."},
            parameters={
                **_PARAMETERS,
                "properties": {"binary_data_output": {"type": "boolean", "description": "All outputs binary."}},
            },
            inputs=_list(
                ref("InputTensor"),
                minItems=1,
                maxItems=max(1, len(model.predictor.columns)),
                description=f"One tensor [rows, {len(model.predictor.columns)}] of any name, or one tensor [rows] or "
                f"[rows, 1] per column, in any order. Columns: {columns}.",
            ),
            outputs=_list(
                ref("RequestedOutput"), maxItems=len(outputs["enum"]), description="Absent or empty: all outputs."
            ),
        ),
        "InputTensor": _object(
            ("name", "shape", "datatype"),
            name={**text, "minLength": 1},
            shape=_list({"type": "integer", "minimum": 1}, minItems=1, maxItems=MAX_DIMENSIONS),
            datatype={
                **datatype,
                "description": "Any number where the model takes numbers; BYTES where it takes text.",
            },
            parameters={
                **_PARAMETERS,
                "properties": {
                    "binary_data_size": {
                        "type": "integer",
                        "minimum": 0,
                        "description": "Bytes of this tensor behind the JSON, instead of data.",
                    }
                },
            },
            data=_list(
                {"anyOf": [_ELEMENT, _list(_ELEMENT)]},
                description="Flat, row by row, or a list of rows. null in a float tensor is a missing value"
                + ("." if model.predictor.accepts_missing else ", which this model refuses."),
            ),
        ),
        "RequestedOutput": _object(
            ("name",),
            name=outputs,
            parameters={**_PARAMETERS, "properties": {"binary_data": {"type": "boolean"}}},
        ),
        "InferenceResponse": _object(
            ("model_name", "model_version", "id", "outputs"),
            model_name=text,
            model_version=text,
            id=text,
            outputs=_list(ref("OutputTensor")),
        ),
        "OutputTensor": _object(
            ("name", "shape", "datatype"),
            name=outputs,
            shape=_list(whole),
            datatype=datatype,
            parameters=_object((), binary_data_size=whole),
            data=_list(
                {**_ELEMENT, "description": "null: the model answered no finite number."},
                description="Flat, row by row; a row of probabilities is in the order of the model's classes.",
            ),
        ),
        "ServerMetadata": _object(("name", "version", "extensions"), name=text, version=text, extensions=_list(text)),
        "ModelMetadata": _object(
            ("name", "versions", "platform", "inputs", "outputs"),
            name=text,
            versions=_list(text),
            platform=text,
            inputs=_list(ref("TensorMetadata")),
            outputs=_list(ref("TensorMetadata")),
            parameters=_PARAMETERS,
        ),
        "TensorMetadata": _object(
            ("name", "datatype", "shape"), name=text, datatype=datatype, shape=_list(whole), parameters=_PARAMETERS
        ),
        "Live": _object(("live",), live={"type": "boolean"}),
        "Ready": _object(("ready",), ready={"type": "boolean"}),
        "Error": _object(("error",), error={**text, "description": "What is wrong with which field."}),
    }
