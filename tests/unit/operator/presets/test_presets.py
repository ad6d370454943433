"""Presets of other model servers, against what those servers exposed before and after requests that were counted."""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from sluice.adapters.runtime_table import RuntimeTable
from sluice.api.v1alpha1 import ModelSource, RuntimeRef
from sluice.core.analysis.counters import Counters, Delta
from sluice.core.analysis.exposure import Exposure, failed_requests, slow_requests
from sluice.core.analysis.sight import Sight
from sluice.core.metrics import LATENCY_BOUNDS, MetricPreset, Series
from sluice.core.rendering import pod_template
from sluice.core.revision import Inputs

PRESETS = Path(__file__).parents[4] / "manifests/presets"
RECORDED = Path(__file__).parent / "recorded"
BEFORE, AFTER = 1000.0, 1002.0
"""Times of the two scrapes."""
UNVERIFIED = "# unverified: "


@dataclass(frozen=True)
class Recording:
    """What was sent to a server between two scrapes, as the first line of its files says.

    counted: requests that the server counts, 4 of them slow: they took 0.3 s. above: bounds that only those exceed.
    """

    preset: str
    version: str
    counted: int
    failed: int = 7
    slow: int = 4
    above: tuple[float, ...] = (0.1, 0.25)
    below: float = 0.5
    """The least bound that no request exceeds."""

    def series(self, metric: str) -> list[Series]:
        """The samples of one metric, or of several (`a|b`), in both scrapes, with the labels that a scrape adds."""
        points: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = defaultdict(list)
        for time, scrape in ((BEFORE, "before"), (AFTER, "after")):
            text = (RECORDED / f"{self.preset}-{self.version}-{scrape}.txt").read_text(encoding="utf-8")
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    if sample.name in metric.split("|"):
                        labels = {"__name__": sample.name, **sample.labels}
                        points[tuple(sorted(labels.items()))].append((time, sample.value))
        scraped = {"pod": "p", "job": "pods", "instance": "p:80"}
        return [Series(scraped | dict(labels), tuple(told)) for labels, told in points.items()]

    def deltas(self, metric: str, preset: MetricPreset | None = None) -> list[Delta]:
        """What the metric counted from one scrape to the other, by the rules of a rollout."""
        series = [one for one in self.series(metric) if preset is None or not preset.excludes(one.labels)]
        sight = Sight(known_since=0.0)
        sight.absorb([Series({"pod": "p", "job": "pods", "instance": "p:80"}, ((BEFORE, 1.0), (AFTER, 1.0)))])
        return Counters().absorb(series, sight.scraped_before)


MLSERVER = Recording("mlserver", "1.7.1", counted=32 + 7 + 3)
BENTOML = Recording("bentoml", "1.4.40", counted=32 + 7 + 3)
KSERVE = Recording("kserve", "0.21.0", counted=32 + 7)
RAY_SERVE = Recording("ray-serve", "2.60.0", counted=32 + 7 + 3, above=(0.05, 0.1, 0.2, 0.3), below=0.4)
RECORDINGS = [MLSERVER, BENTOML, KSERVE, RAY_SERVE]


def metrics_of(file: Path) -> Any:
    """The row's part that a preset file holds."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert set(content) == {"metrics"}
    return content["metrics"]


def preset_of(name: str) -> MetricPreset:
    return MetricPreset.model_validate(metrics_of(PRESETS / f"{name}.yaml"))


def between(exposures: list[Exposure]) -> Exposure:
    """What was counted between the scrapes; nothing was before, as those counts are of earlier requests."""
    first, second = exposures
    assert (first.time, first.requests, second.time) == (BEFORE, 0.0, AFTER)
    return second


@pytest.fixture(params=RECORDINGS, ids=lambda one: one.preset)
def recording(request: pytest.FixtureRequest) -> Recording:
    one: Recording = request.param
    return one


def test_the_requests_that_were_sent_are_counted_and_the_failed_ones_of_them(recording: Recording) -> None:
    preset = preset_of(recording.preset)
    told = between(failed_requests(preset, recording.deltas(preset.counters, preset)))
    assert (told.requests, told.losses.tolist()) == (recording.counted, [recording.failed])


def test_what_was_counted_before_the_first_scrape_is_no_evidence(recording: Recording) -> None:
    """30 good and 6 failed requests were sent to a server that nobody had scraped yet."""
    preset = preset_of(recording.preset)
    first = failed_requests(preset, recording.deltas(preset.counters, preset))[0]
    assert first.uncounted >= 36


def test_the_histogram_counts_the_same_requests_and_the_slow_ones_of_them(recording: Recording) -> None:
    preset = preset_of(recording.preset)
    buckets = tuple(map(preset.le_of, preset.bounds))
    told = between(slow_requests(buckets, recording.deltas(f"{preset.latency}_bucket", preset)))
    assert told.requests == recording.counted
    slow = dict(zip(preset.bounds, told.losses.tolist(), strict=True))
    assert [slow[bound] for bound in recording.above] == [recording.slow] * len(recording.above)
    assert {slow[bound] for bound in preset.bounds if bound >= recording.below} == {0.0}


def test_the_preset_names_all_bounds_of_the_histogram_and_no_other(recording: Recording) -> None:
    preset = preset_of(recording.preset)
    labels = {float(series.labels["le"]) for series in recording.series(f"{preset.latency}_bucket")}
    assert labels == {*map(preset.le_of, preset.bounds), float("inf")}


def test_one_counter_of_kserve_would_count_its_failures_as_good() -> None:
    """It has no code: 7 of these 39 failed, and none is told. So its row names two."""
    naive = MetricPreset(requests="request_predict_seconds_count", latency="request_predict_seconds")
    told = between(failed_requests(naive, KSERVE.deltas(naive.requests)))
    assert (told.requests, told.losses.tolist()) == (KSERVE.counted, [0.0])


@pytest.mark.parametrize(("recorded", "probes"), [(BENTOML, 5), (RAY_SERVE, 5)])
def test_probes_would_count_if_they_were_not_excluded(recorded: Recording, probes: int) -> None:
    preset = preset_of(recorded.preset).model_copy(update={"exclude": {}})
    told = between(failed_requests(preset, recorded.deltas(preset.counters, preset)))
    assert told.requests == recorded.counted + probes


@pytest.mark.parametrize("file", sorted(PRESETS.iterdir()), ids=lambda file: file.name)
def test_every_preset_can_be_a_row_and_says_where_it_is_from(file: Path) -> None:
    """A name that the row does not know would be ignored there, and its default be used."""
    given = metrics_of(file)
    assert set(given) <= {field.alias for field in MetricPreset.model_fields.values()}
    preset = MetricPreset.model_validate(given)
    assert list(preset.bounds) == sorted(preset.bounds)
    assert preset.latency is not None or preset.bounds == LATENCY_BOUNDS, "bounds of no histogram"
    head = file.read_text(encoding="utf-8").splitlines()[0]
    versions = {one.preset: one.version for one in RECORDINGS}
    assert head.startswith(UNVERIFIED) or f" {versions[file.stem]}. " in head


def test_the_row_that_the_documentation_adds_works_and_its_pods_are_scraped_where_it_says(tmp_path: Path) -> None:
    page = (PRESETS.parents[1] / "docs/how-to/runtimes.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(dedent(block)) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    [added] = blocks
    for name, row in added["data"].items():
        (tmp_path / name).write_text(row, encoding="utf-8")
    table = RuntimeTable(tmp_path)
    table.refresh()
    assert table.broken() == {}
    runtime = table.rows()["mlserver"]
    assert runtime.metrics == preset_of("mlserver")
    inputs = Inputs(
        model=ModelSource(uri="https://models.example/flights/manifest.json", digest=f"sha256:{'0' * 64}"),
        runtime=RuntimeRef(name="mlserver", version="1.7.1"),
    )
    pod = pod_template("flights", inputs, runtime)
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == "8082"
    [server] = pod["spec"]["containers"]
    assert (server["image"], server["ports"][0]["containerPort"]) == ("registry.example/mlserver:1.7.1", 8080)


def test_the_documentation_names_each_preset_and_what_it_was_recorded_from() -> None:
    page = (PRESETS.parents[1] / "docs/how-to/runtimes.md").read_text(encoding="utf-8")
    for file in PRESETS.iterdir():
        version = next((f"{one.version}, recorded" for one in RECORDINGS if one.preset == file.stem), "unverified")
        assert f"| `{file.name}` | {version} |" in page
