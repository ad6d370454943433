"""The runtime table: rows are read one by one, and a broken one harms no other."""

from pathlib import Path

import pytest
import yaml

from sluice.adapters.runtime_table import RuntimeTable

ROOT = Path(__file__).parents[4]
GOOD = """
image: sluice/model-server:$(version)
fetcher: sluice/model-server:$(version)
metrics: {requests: requests_total, latency: seconds}
"""


@pytest.fixture
def table(tmp_path: Path) -> RuntimeTable:
    return RuntimeTable(tmp_path)


def test_the_row_shipped_with_the_operator_is_good(table: RuntimeTable, tmp_path: Path) -> None:
    shipped = yaml.safe_load((ROOT / "manifests/base/runtimes.yaml").read_text(encoding="utf-8"))
    for name, row in shipped["data"].items():
        (tmp_path / name).write_text(row)
    table.refresh()
    row = table.rows()["sluice-sklearn"]
    assert row.image_for("0.1.0") == "sluice/model-server:0.1.0"
    assert row.args == ("serve", "--dir", "/mnt/model")
    assert table.broken() == {}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("image: [", "bad.yaml: while parsing"),
        ("", "bad.yaml: the file: "),
        ("image: x\nfetcher: x\nmetrics: {requests: r}", "bad.yaml: metrics.latency: Field required"),
        (GOOD.replace("latency:", "codeLable: x, latency:"), "bad.yaml: metrics.codeLable: Extra inputs"),
        (GOOD + "ports: 80", "bad.yaml: ports: Extra inputs"),
        (GOOD + "port: 70000", "bad.yaml: port: Input should be less than or equal to 65535"),
    ],
)
def test_a_broken_row_is_named_and_the_others_work(table: RuntimeTable, tmp_path: Path, row: str, words: str) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(row)
    assert table.refresh()
    assert set(table.rows()) == {"good"}
    assert table.broken()["bad"].startswith(words)


def test_a_changed_table_is_read_again_and_an_unchanged_one_is_not(table: RuntimeTable, tmp_path: Path) -> None:
    """As the kubelet does it: the files are links through `..data`, which is swapped for another directory."""
    (tmp_path / "..1").mkdir()
    (tmp_path / "..1" / "a.yaml").write_text("image: [")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    assert table.refresh()
    assert set(table.broken()) == {"a"}
    assert not table.refresh()
    (tmp_path / "..2").mkdir()
    (tmp_path / "..2" / "a.yaml").write_text(GOOD)
    (tmp_path / "..data").unlink()
    (tmp_path / "..data").symlink_to("..2")
    assert table.refresh()
    assert (set(table.rows()), dict(table.broken())) == ({"a"}, {})


def test_a_directory_that_is_not_there_is_an_empty_table(tmp_path: Path) -> None:
    table = RuntimeTable(tmp_path / "nothing")
    table.refresh()
    assert table.rows() == {}
