"""Which version of the evidence's code is this? Told by its text, so that nobody has to remember to count it up."""

from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

import numpy
import scipy

from sluice import __version__


@cache
def engine_version() -> str:
    """`"0.1.0 3f2a9c01"`: another one as soon as a line changes of what makes evidence of samples, or one of the
    libraries that calculate. What one version has begun no other one goes on with."""
    core = files("sluice.core")
    sources = [core / "metrics.py", *(core / "analysis").iterdir()]
    return f"{__version__} {text_of(sources, numpy.__version__, scipy.__version__)}"


def text_of(sources: Iterable[Traversable], *words: str) -> str:
    """Digest of the names and texts of these Python files, in whatever order, and of some words."""
    digest = sha256(" ".join(words).encode())
    for source in sorted((one for one in sources if one.name.endswith(".py")), key=lambda one: one.name):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:8]
