"""What does this server say in the Open Inference Protocol V2?"""

from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from sluice_model_server import __version__
from sluice_model_server.load import ServedModel
from sluice_model_server.predictor import LABEL, PROBABILITY, Prediction

SERVER_NAME = "sluice-model-server"


def server_metadata() -> bytes:
    """GET /v2"""
    return orjson.dumps({"name": SERVER_NAME, "version": __version__, "extensions": []})


def model_metadata(model: ServedModel) -> bytes:
    """GET /v2/models/{name}. A probability has one number per class, in the order of `parameters.classes`."""
    predictor = model.predictor
    outputs: list[dict[str, Any]] = [{"name": LABEL, "datatype": _label_datatype(model), "shape": [-1]}]
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
            "platform": f"sklearn_{model.manifest.format}",
            "inputs": inputs,
            "outputs": outputs,
            "parameters": {"digest": model.digest},
        }
    )


def inference(model: ServedModel, identity: str, prediction: Prediction, outputs: tuple[str, ...]) -> bytes:
    """The answer to one inference request. Data is flat, row by row."""
    values = {LABEL: prediction.label, PROBABILITY: prediction.probability}
    return orjson.dumps(
        {
            "model_name": model.manifest.name,
            "model_version": model.manifest.version,
            "id": identity,
            "outputs": [_tensor(name, array) for name in outputs if (array := values[name]) is not None],
        }
    )


def error(message: str) -> bytes:
    """The protocol's error object."""
    return orjson.dumps({"error": message})


def _tensor(name: str, array: npt.NDArray[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype_of(array), "shape": list(array.shape), "data": array.ravel().tolist()}


def datatype_of(array: npt.NDArray[Any]) -> str:
    """The V2 datatype of an output array; anything but booleans, integers and floats goes out as text."""
    return {"b": "BOOL", "i": "INT64", "u": "INT64", "f": "FP64"}.get(array.dtype.kind, "BYTES")


def _label_datatype(model: ServedModel) -> str:
    classes = model.predictor.classes
    return "FP64" if classes is None else datatype_of(np.asarray(classes))
