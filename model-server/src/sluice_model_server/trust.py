"""Which model files are admitted? Those whose every type and structure was reviewed: see `review`."""

from pathlib import Path
from typing import Any

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from sluice_model_server.errors import ModelBroken, ModelServerError, UntrustedModel
from sluice_model_server.review import check_archive, check_model, check_schema, without_pools
from sluice_model_server.review.table import NOT_TRUSTED_BY_SKOPS


def load_trusted(path: Path, *, max_bytes: int) -> Any:
    """The estimator in a skops file.

    max_bytes: limit of its unpacked size.
    Raises UnsupportedFormat for anything but a skops archive, UntrustedModel for types and structures that are not
    admitted, ModelBroken when skops itself cannot read it.
    """
    check_archive(path, max_bytes)
    check_schema(path)
    try:
        model = skops.io.load(path, trusted=list(NOT_TRUSTED_BY_SKOPS))
    except UntrustedTypesFoundException as error:
        raise UntrustedModel(f"{path.name}: {str(error).splitlines()[0]}") from error
    except Exception as error:  # a crafted file may raise anything while it is read
        raise ModelBroken(f"{path.name}: skops cannot load it: {type(error).__name__}: {error}") from error
    try:
        check_model(model)
    except ModelServerError as error:
        raise UntrustedModel(f"{path.name}: {error}") from error
    without_pools(model)
    return model
