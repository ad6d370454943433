"""Which counts does Prometheus read after which requests?"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from sluice_model_server import observer as observers
from sluice_model_server.bins import categorical_of, numeric_of
from sluice_model_server.exposition import Family, series
from sluice_model_server.load import load_model
from sluice_model_server.metrics import Metrics
from sluice_model_server.observer import FLUSH_ROWS, Observer
from sluice_model_server.predictor import Prediction
from sluice_model_server.profile import OTHER, Answers, Feature, Probe, Profile, Slice

TRAINING = np.arange(101.0)
NASTY = 'a"b\\c\nd, e="f"} 1'


def profile(**changes):
    numeric, _ = numeric_of(TRAINING)
    categorical, _ = categorical_of(["UA"] * 60 + ["AA"] * 40)
    whole = Profile(
        rows=101,
        label=None,
        features=(
            Feature(name="carrier", datatype="BYTES", missing=0, categorical=categorical),
            Feature(name=NASTY, datatype="FP64", missing=2, numeric=numeric),
        ),
        answers=Answers(score_of="probability of 1", score=numeric_of(TRAINING / 100)[0], classes={"0": 60, "1": 41}),
        slices=(
            Slice(column="carrier", live=True, values=("UA",)),
            Slice(column="origin", live=False, values=("JFK",)),
        ),
        probe=Probe(rows=(("UA", 1.0),), label=(0,)),
    )
    return whole.model_copy(update=changes)


def mixed(*rows):
    matrix = np.empty((len(rows), 2), dtype=object)
    matrix[:] = rows
    return matrix


def answer(*scores):
    probability = np.array([[1 - score, score] for score in scores])
    return Prediction(probability.argmax(axis=1), probability)


def samples(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every series of an exposition, as prometheus_client reads it. Fails when one stands twice."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def value(text, name, **labels):
    found = text if isinstance(text, dict) else samples(text)
    return found[name, frozenset(labels.items())]


def test_every_name_is_escaped_and_read_back_by_prometheus():
    watching = Observer(profile(), (0, 1))
    watching.observe(mixed(["UA", 50.0], ["HA", np.nan], ["AA", 101.0]), answer(0.25, 0.5, 0.75))
    text = watching.render()
    assert value(text, "sluice_feature_value_bucket", feature=NASTY, le="50.0") == 1
    assert value(text, "sluice_feature_value_bucket", feature=NASTY, le="+Inf") == 2
    assert value(text, "sluice_feature_value_count", feature=NASTY) == 2
    assert value(text, "sluice_feature_missing_total", feature=NASTY) == 1
    assert value(text, "sluice_feature_out_of_range_total", feature=NASTY) == 1
    assert value(text, "sluice_feature_category_total", feature="carrier", category="UA") == 1
    assert value(text, "sluice_feature_category_total", feature="carrier", category=OTHER) == 1
    assert value(text, "sluice_feature_unseen_total", feature="carrier") == 1
    assert value(text, "sluice_feature_reference_rows", feature=NASTY, le="+Inf") == 101
    assert value(text, "sluice_feature_reference_rows", feature="carrier", category="AA") == 40


def test_no_value_that_was_sent_is_ever_exposed():
    watching = Observer(profile(), (0, 1))
    watching.observe(mixed(["secret-carrier", 61.803398]), answer(0.618033))
    text = watching.render().decode()
    assert "secret" not in text
    assert "618" not in text
    assert "61.8" not in text
    assert "_sum" not in text


def test_answers_are_counted_by_class_and_score_and_nulls():
    watching = Observer(profile(), (0, 1))
    watching.observe(mixed(["UA", 1.0], ["UA", 1.0]), answer(0.25, 0.95))
    watching.observe(mixed(["UA", 1.0]), Prediction(np.array([0]), np.array([[np.nan, np.nan]])))
    text = watching.render()
    assert value(text, "sluice_prediction_class_total", **{"class": "1"}) == 1
    assert value(text, "sluice_prediction_class_total", **{"class": "0"}) == 2
    assert value(text, "sluice_prediction_score_bucket", le="0.3") == 1
    assert value(text, "sluice_prediction_score_count") == 2
    assert value(text, "sluice_prediction_null_total") == 1
    assert value(text, "sluice_prediction_reference_rows", **{"class": "0"}) == 60
    assert value(text, "sluice_prediction_reference_rows", le="+Inf") == 101


def test_slices_tell_answered_from_failed_and_only_those_that_are_inputs():
    watching = Observer(profile(), (0, 1))
    watching.observe(mixed(["UA", 1.0], ["HA", 1.0]), answer(0.25, 0.25))
    watching.observe(mixed(["UA", 1.0]), None)
    text = watching.render()
    assert value(text, "sluice_slice_rows_total", slice="carrier", value="UA", outcome="answered") == 1
    assert value(text, "sluice_slice_rows_total", slice="carrier", value="UA", outcome="failed") == 1
    assert value(text, "sluice_slice_rows_total", slice="carrier", value=OTHER, outcome="answered") == 1
    assert b"origin" not in text


def test_rows_that_the_model_failed_on_count_as_inputs_but_not_as_answers():
    watching = Observer(profile(), (0, 1))
    watching.observe(mixed(["HA", 1.0]), None)
    text = watching.render()
    assert value(text, "sluice_feature_unseen_total", feature="carrier") == 1
    assert value(text, "sluice_prediction_score_count") == 0


def test_every_series_is_there_at_zero_from_the_first_scrape_on():
    watching = Observer(profile(), (0, 1))
    before = samples(watching.render())
    watching.observe(mixed(["HA", 1000.0], ["UA", np.nan]), answer(0.5, 0.9))
    after = samples(watching.render())
    assert before.keys() == after.keys()
    assert {count for (name, _), count in before.items() if "reference" not in name} == {0}


def test_a_regression_counts_its_numbers():
    numeric, _ = numeric_of(TRAINING)
    watching = Observer(profile(answers=Answers(score_of="predicted number", score=numeric)), None)
    watching.observe(mixed(["UA", 1.0], ["UA", 1.0]), Prediction(np.array([5.0, np.nan]), None))
    text = watching.render()
    assert value(text, "sluice_prediction_score_count") == 1
    assert value(text, "sluice_prediction_null_total") == 1
    assert b"sluice_prediction_class_total" not in text


def test_without_a_profile_classes_and_nulls_are_counted():
    watching = Observer(None, ("late", "on time"))
    watching.observe(np.ones((2, 3)), Prediction(np.array(["late", "late"]), np.array([[0.9, 0.1]] * 2)))
    text = watching.render()
    assert value(text, "sluice_prediction_class_total", **{"class": "late"}) == 2
    assert value(text, "sluice_prediction_null_total") == 0
    assert b"sluice_feature" not in text


def test_of_a_wide_model_only_the_first_inputs_are_counted(monkeypatch):
    monkeypatch.setattr(observers, "MAX_OBSERVED", 1)
    watching = Observer(profile(), (0, 1))
    watching.observe(mixed(["UA", 1.0]), answer(0.5))
    text = watching.render()
    assert value(text, "sluice_feature_category_total", feature="carrier", category="UA") == 1
    assert b"sluice_feature_value" not in text


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(1, 300), st.booleans()), min_size=1, max_size=12))
def test_counts_add_up_however_the_rows_are_cut_into_requests(requests):
    numeric, _ = numeric_of(TRAINING)
    numbers = tuple(Feature(name=name, datatype="FP64", missing=0, numeric=numeric) for name in ("a", "b"))
    parts = (Slice(column="a", live=True, values=("low", "high"), bounds=(50.0,)),)
    watching = Observer(profile(features=numbers, slices=parts), (0, 1))
    random = np.random.default_rng(len(requests))
    rows = [random.uniform(-10, 110, (size, 2)) for size, _ in requests]
    answered = 0
    for part, (size, fails) in zip(rows, requests, strict=True):
        watching.observe(part, None if fails else answer(*part[:, 0] / 200 + 0.1))
        answered += 0 if fails else size
    found = samples(watching.render())
    everything = np.concatenate(rows)
    for place, name in enumerate("ab"):
        for bound in numeric.bounds:
            at_most = value(found, "sluice_feature_value_bucket", feature=name, le=str(bound))
            assert at_most == (everything[:, place] <= bound).sum()
        assert value(found, "sluice_feature_value_count", feature=name) == len(everything)
    sliced = {key: count for key, count in found.items() if key[0] == "sluice_slice_rows_total"}
    assert sum(sliced.values()) == len(everything)
    assert sum(count for (_, labels), count in sliced.items() if ("outcome", "answered") in labels) == answered
    assert value(found, "sluice_prediction_score_count") == answered


def test_rows_are_flushed_by_themselves_so_that_memory_stays_bounded():
    watching = Observer(profile(), (0, 1))
    for _ in range(3 * FLUSH_ROWS):
        watching.observe(mixed(["UA", 1.0]), answer(0.5))
        assert len(watching._pending) < FLUSH_ROWS
    assert value(watching.render(), "sluice_feature_value_count", feature=NASTY) == 3 * FLUSH_ROWS


def test_a_family_without_series_says_nothing():
    assert Family("a", "counter", "help", []).render([]) == ""
    assert series("a", class_="b") == 'a{class="b"}'


def test_the_servers_whole_exposition_is_read_back(flights):
    model = load_model(flights.folder, max_bytes=1 << 30)
    metrics = Metrics()
    metrics.model(name="m", version="1", digest=model.digest, format="skops")
    metrics.watch(model.profile, model.predictor.classes)
    metrics.started()
    metrics.started()
    metrics.predicted(3)
    metrics.answered(200, 0.25)
    text = metrics.render()
    assert value(text, "sluice_batch_rows_bucket", le="4.0") == 1
    assert value(text, "sluice_request_duration_seconds_bucket", le="0.25") == 1
    assert value(text, "sluice_request_duration_seconds_bucket", le="0.2") == 0
    assert value(text, "sluice_request_duration_seconds_sum") == 0.25
    assert value(text, "sluice_requests_in_flight") == 1
    assert value(text, "process_resident_memory_bytes") > 0
    assert value(text, "process_cpu_seconds_total") >= 0


@pytest.mark.parametrize("mirrored", [True, False])
def test_mirrored_requests_are_counted_apart_and_among_all(mirrored):
    metrics = Metrics()
    assert value(metrics.render(), "sluice_mirrored_requests_total", code="200") == 0
    metrics.started()
    metrics.answered(418, 0.1, mirrored=mirrored)
    text = metrics.render()
    assert value(text, "sluice_requests_total", code="418") == 1
    apart = samples(text).get(("sluice_mirrored_requests_total", frozenset({("code", "418")})), 0)
    assert apart == mirrored
