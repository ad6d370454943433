"""What does this server say in the Open Inference Protocol V2?"""

from typing import Any

import msgspec
import numpy.typing as npt
import orjson

from sluice_model_server import __version__, binary
from sluice_model_server.datatypes import datatype_of
from sluice_model_server.formats import format_of
from sluice_model_server.load import ServedModel
from sluice_model_server.predictor import LABEL, PROBABILITY, Prediction
from sluice_model_server.v2_request import RequestedOutput

SERVER_NAME = "sluice-model-server"


def server_metadata() -> bytes:
    """GET /v2"""
    return orjson.dumps({"name": SERVER_NAME, "version": __version__, "extensions": ["binary_tensor_data"]})


def model_metadata(model: ServedModel) -> bytes:
    """GET /v2/models/{name}. A probability has one number per class, in the order of `parameters.classes`."""
    predictor = model.predictor
    outputs: list[dict[str, Any]] = [{"name": LABEL, "datatype": predictor.label_datatype, "shape": [-1]}]
    if predictor.classes is not None:
        outputs.append(
            {
                "name": PROBABILITY,
                "datatype": "FP64",
                "shape": [-1, len(predictor.classes)],
                "parameters": {"classes": list(predictor.classes)},
            }
        )
    inputs = [{"name": column.name, "datatype": column.datatype, "shape": [-1]} for column in predictor.columns]
    return orjson.dumps(
        {
            "name": model.manifest.name,
            "versions": [model.manifest.version],
            "platform": format_of(model.manifest).platform,
            "inputs": inputs,
            "outputs": outputs,
            "parameters": {"digest": model.digest},
        }
    )


def inference(
    model: ServedModel, identity: str, prediction: Prediction, outputs: tuple[RequestedOutput, ...]
) -> tuple[bytes, int | None]:
    """The answer to one inference request, data row by row.

    Returns the body, and the length of its JSON where binary tensors stand behind it, else None.
    """
    behind: list[bytes] = []
    tensors = []
    for name, as_binary in outputs:
        array = prediction.label if name == LABEL else prediction.probability
        if array is not None:
            tensors.append(_binary_tensor(name, array, behind) if as_binary else _tensor(name, array))
    text = _encode(_Answer(model.manifest.name, model.manifest.version, identity, tensors))
    return (b"".join((text, *behind)), len(text)) if behind else (text, None)


class _Tensor(msgspec.Struct, gc=False):
    """An output as the protocol writes it."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]


class _Answer(msgspec.Struct, gc=False):
    """The protocol's answer; outputs: of _Tensor, or what stands in its place for a binary one."""

    model_name: str
    model_version: str
    id: str
    outputs: list[Any]


_encode = msgspec.json.Encoder().encode


def _tensor(name: str, array: npt.NDArray[Any]) -> _Tensor:
    flat = array if array.ndim == 1 else array.ravel()
    return _Tensor(name, datatype_of(array), array.shape, flat.tolist())


def _binary_tensor(name: str, array: npt.NDArray[Any], behind: list[bytes]) -> dict[str, Any]:
    content = binary.encode(array)
    behind.append(content)
    return {
        "name": name,
        "datatype": datatype_of(array),
        "shape": list(array.shape),
        "parameters": {"binary_data_size": len(content)},
    }
