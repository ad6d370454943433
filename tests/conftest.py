"""What all tests share."""

from hypothesis import settings

# A busy machine is no defect: how long an example takes is measured in benchmarks, never asserted here.
settings.register_profile("sluice", deadline=None)
settings.load_profile("sluice")

collect_ignore = ["model_server_conformance"]
"""Has an environment of its own: `make test-conformance`."""
