"""A place for clusters that no running cluster knows of: what is made and taken away there harms nobody."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice_dev.cluster.layout import Layout


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Layout]:
    """Folders of the test's own, and a name of this process' own below /run and for namespace and cgroup.

    Of the checkout only what names the release of Go is there.
    """
    layout = Layout(tmp_path / "checkout", tmp_path / "cache", name=f"sluice-test-{os.getpid()}")
    for go_mod in Layout.here().tools.glob("*/go.mod"):
        copy = layout.tools / go_mod.parent.name / go_mod.name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(go_mod.read_bytes())
    yield layout
    shutil.rmtree(layout.run, ignore_errors=True)
