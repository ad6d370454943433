"""Which formats of model files are served?

Each has a module that loads it, imported when it is needed: a pod of one format pays nothing for the others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from sluice_model_server.errors import UnsupportedFormat
from sluice_model_server.manifest import Manifest
from sluice_model_server.predictor import Model
from sluice_model_server.probing import ABSOLUTE, RELATIVE

Load = Callable[[Path, Manifest, int], Model]
"""The file, its manifest, and the most bytes that it may unpack to. Raises a ModelServerError."""


@dataclass(frozen=True, slots=True)
class Format:
    """platform: what the protocol's metadata calls it. module, load: where the function is that loads such a file.

    relative, absolute: how far its answers may lie, on another processor or with another release, from those when it
    was packed. memory: the most memory, bytes, that loading a file of `size` bytes may take in the trial child; None:
    no bound of its own.
    """

    platform: str
    module: str
    load: str
    relative: float
    absolute: float
    memory: Callable[[int], int] | None = None


def _graph_memory(size: int) -> int:
    # A small model takes 24 MiB. A forest of 11 MiB takes 14 times its file besides: it is decoded, then again and made
    # into nodes by onnxruntime.
    return (128 << 20) + 24 * size


# Sums in 32 bits that other processors take in another order differ by 1e-7 of the largest term; of a sum of which
# most cancels, and then of an exponential, by a hundred times as much.
_FORMATS: Final[dict[str, Format]] = {
    "skops": Format("sklearn_skops", "sluice_model_server.estimator", "load_estimator", RELATIVE, ABSOLUTE),
    "onnx": Format("onnxruntime_onnx", "sluice_model_server.graphs", "load_graph", 1e-4, 1e-6, _graph_memory),
}


def format_of(manifest: Manifest) -> Format:
    """The format that a manifest names; parsing it has refused unknown ones."""
    return _FORMATS[manifest.format]


def loader(manifest: Manifest) -> Load:
    """The function that loads this model, with all that it imports. Raises UnsupportedFormat when a package is
    missing."""
    found = format_of(manifest)
    try:
        load: Load = getattr(import_module(found.module), found.load)
    except ModuleNotFoundError as error:
        raise UnsupportedFormat(
            f"format {manifest.format} needs the package {error.name}: "
            f"pip install 'sluice-model-server[{manifest.format}]'"
        ) from error
    return load


def memory_of(directory: Path, manifest: Manifest) -> int | None:
    """The most memory, bytes, that loading this model may take in the trial child; None: no bound of its own."""
    bound = format_of(manifest).memory
    path = directory / manifest.model_file.path
    # By the file itself: the manifest may state any size. Loading says what is wrong when there is none.
    return None if bound is None else bound(path.stat().st_size if path.exists() else 0)
