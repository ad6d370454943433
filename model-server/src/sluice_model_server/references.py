"""Which model does `module:name` mean?"""

import importlib
import sys
from operator import attrgetter
from pathlib import Path
from typing import Any

from sluice_model_server.errors import DataError
from sluice_model_server.packable import is_graph


def estimator(reference: str) -> Any:
    """The fitted estimator or ONNX model, or what it returns if it is a function. Modules of the current folder come
    first.

    reference: `module:name`; the module is imported, so it runs. Raises DataError when there is none.
    """
    module, _, name = reference.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = attrgetter(name)(importlib.import_module(module))
    except (ImportError, ValueError, AttributeError) as error:
        raise DataError(f"{reference}: {error}; write module:name of a fitted estimator or a function") from error
    if not _is_model(found) and callable(found):
        found = found()
    if not _is_model(found):
        raise DataError(f"{reference}: is a {type(found).__name__}, which has no predict; name a fitted estimator")
    return found


def _is_model(found: Any) -> bool:
    return hasattr(found, "predict") or is_graph(found)
