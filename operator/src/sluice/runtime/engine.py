"""Which version of the evidence's code is this? Told by its text, so that nobody has to remember to count it up."""

from functools import cache
from hashlib import sha256
from importlib.resources import files

import numpy
import scipy

from sluice import __version__


@cache
def engine_version() -> str:
    """`"0.1.0 3f2a9c01"`: another one as soon as a line changes of what makes evidence of samples, or one of the
    libraries that calculate. What one version has begun no other one goes on with."""
    core = files("sluice.core")
    code = sha256(f"{numpy.__version__} {scipy.__version__}".encode())
    for source in sorted([core / "metrics.py", *(core / "analysis").iterdir()], key=lambda one: one.name):
        if source.name.endswith(".py"):
            code.update(source.name.encode() + source.read_bytes())
    return f"{__version__} {code.hexdigest()[:8]}"
