"""Is a file one ONNX model?"""

from typing import Final

from google.protobuf.message import DecodeError
from onnx import ModelProto

from sluice_model_server.errors import UnsupportedFormat, UntrustedModel
from sluice_model_server.manifest import PICKLE_ADVICE

_PICKLE: Final = b"\x80"
_ZIP: Final = b"PK\x03\x04"


def read_graph(content: bytes, name: str, max_bytes: int) -> ModelProto:
    """The decoded model, of which nothing is known yet.

    protobuf copies what it decodes and follows at most 100 levels. name: what errors call the file. max_bytes: its
    limit. Raises UnsupportedFormat for other files, UntrustedModel for one that is too large.
    """
    if len(content) > max_bytes:
        raise UntrustedModel(f"{name}: {len(content)} bytes, more than SLUICE_MODEL_MAX_MODEL_BYTES")
    if content.startswith(_PICKLE):
        raise UnsupportedFormat(f"{name}: {PICKLE_ADVICE}")
    if content.startswith(_ZIP):
        raise UnsupportedFormat(
            f"{name}: is a zip archive and no ONNX model; a skops file is packed under its own format"
        )
    try:
        model: ModelProto = ModelProto.FromString(content)
    except DecodeError as error:
        raise UnsupportedFormat(
            f"{name}: no whole ONNX model ({error}); save it again: onnx.save(model, path)"
        ) from error
    if not model.graph.node:
        raise UnsupportedFormat(f"{name}: an ONNX model without nodes answers nothing")
    return model
