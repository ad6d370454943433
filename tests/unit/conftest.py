"""What all unit tests share: other people's large packages, imported while nobody measures coverage."""

import os
import sys
from importlib import import_module

# The tracer of pytest-cov is called for each function, also of modules whose lines it then does not count. Looking on
# as these are imported takes it seconds in each worker; the process that only hands out tests needs none of them.
if (tracer := sys.gettrace()) is not None and "PYTEST_XDIST_WORKER" in os.environ:
    sys.settrace(None)
    for package in ("aiohttp", "kubernetes.client", "pandas", "sklearn.ensemble", "skops.io"):
        import_module(package)
    sys.settrace(tracer)
