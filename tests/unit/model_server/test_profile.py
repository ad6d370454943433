"""What does a model packed with its data know, and what is refused?"""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

import sluice_model_server
from sluice_model_server.baselines import MIN_SLICE_ROWS, metrics_of
from sluice_model_server.by_position import by_position
from sluice_model_server.errors import DataError, ManifestError, ModelBroken
from sluice_model_server.load import load_model
from sluice_model_server.manifest import digest_of
from sluice_model_server.observer import MAX_OBSERVED
from sluice_model_server.packable import packable
from sluice_model_server.packing import PackingNote, pack
from sluice_model_server.predictor import Prediction
from sluice_model_server.probing import check_profile
from sluice_model_server.profile import Profile
from sluice_model_server.v2_response import model_metadata
from specs.flights import INPUTS, flights_pipeline, flights_table

MAX = 1 << 30


@pytest.fixture(scope="module")
def served(flights):
    return load_model(flights.folder, max_bytes=MAX)


def test_three_lines_of_a_notebook_make_a_model_that_answers_as_the_fitted_one(flights, served):
    assert sluice_model_server.pack is pack
    manifest = served.manifest
    assert (manifest.name, manifest.version) == ("flight-delay", "42")
    assert [column.datatype for column in manifest.columns] == ["BYTES", "FP64", "INT64", "FP64"]
    assert {file.path for file in manifest.files} == {"model.skops", "profile.json", "card.md"}
    some = flights.table[INPUTS].iloc[:20]
    rows = some.astype(object).to_numpy()
    expected = flights.model.predict_proba(some)
    assert np.allclose(served.predictor.predict(rows).probability, expected, rtol=1e-12)


def test_equal_inputs_give_equal_digests_and_others_do_not(flights, tmp_path):
    table = flights_table()
    model = flights_pipeline().fit(table[INPUTS], table["late"])
    more = {"data": table, "label": "late", "slices": ["carrier", "hour", "origin"]}
    with pytest.warns(PackingNote):
        again = pack(model, tmp_path / "flight-delay" / "42", **more)
    assert again == flights.digest == digest_of((flights.folder / "manifest.json").read_bytes())
    changed = table.assign(distance=table["distance"] + 1)
    with pytest.warns(PackingNote):
        assert pack(model, tmp_path / "b" / "flight-delay" / "42", **{**more, "data": changed}) != again


def test_the_profile_says_what_the_data_looks_like(flights, served):
    profile = served.profile
    features = {feature.name: feature for feature in profile.features}
    assert list(features) == INPUTS
    assert features["carrier"].categorical.counts == {"AA": 240, "UA": 150, "HA": 10}
    assert features["temp"].missing == 40
    for name in ("distance", "hour"):
        numeric = features[name].numeric
        assert sum(numeric.counts) == profile.rows == 400
        assert (numeric.minimum, numeric.maximum) == (flights.table[name].min(), flights.table[name].max())
    assert sum(profile.answers.classes.values()) == sum(profile.answers.score.counts) == 400
    assert profile.answers.score_of == "probability of on time"
    assert {part.column: part.live for part in profile.slices} == {"carrier": True, "hour": True, "origin": False}


def test_baselines_are_those_of_scikit_learn_and_small_slices_have_none(flights, served):
    baselines = served.profile.baselines
    expected = flights.model.score(flights.table[INPUTS], flights.table["late"])
    assert baselines.overall["accuracy"] == pytest.approx(expected, abs=1e-6)
    assert set(baselines.overall) == {"accuracy", "auc", "log_loss", "brier"}
    parts = {(part.column, part.value): part for part in baselines.slices}
    carrier = flights.table["carrier"] == "UA"
    assert parts["carrier", "UA"].metrics["accuracy"] == pytest.approx(
        flights.model.score(flights.table[INPUTS][carrier], flights.table["late"][carrier]), abs=1e-6
    )
    assert parts["carrier", "HA"].rows == 10 < MIN_SLICE_ROWS
    assert parts["carrier", "HA"].metrics == {}
    assert ("origin", "JFK") in parts


def test_baselines_of_data_kept_apart(flights, tmp_path):
    kept = flights.table.iloc[:100]
    pack(flights.model, tmp_path / "m" / "1", data=flights.table, label="late", evaluation=kept)
    baselines = load_model(tmp_path / "m" / "1", max_bytes=MAX).profile.baselines
    assert (baselines.source, baselines.rows) == ("evaluation", 100)
    assert "data kept apart" in (tmp_path / "m" / "1" / "card.md").read_text()


def test_probe_rows_are_nobodys(flights, served):
    probe = served.manifest.probe
    assert probe == served.profile.probe.rows
    real = set(map(tuple, flights.table[INPUTS].astype(object).to_numpy().tolist()))
    assert not real & set(probe)


def test_the_card_tells_a_person(flights):
    card = (flights.folder / "card.md").read_text()
    for said in (
        "# flight-delay 42",
        "| carrier | BYTES |",
        "10%",
        "| carrier = UA |",
        "| origin | 2 | baselines only |",
    ):
        assert said in card


def test_a_model_that_answers_otherwise_than_when_it_was_packed_is_refused(served):
    answer = served.predictor.answer(served.profile.probe.rows)
    columns = served.predictor.columns
    check_profile(served.profile, columns, answer)
    check_profile(served.profile, columns, answer._replace(probability=answer.probability * (1 + 1e-9)))
    with pytest.raises(ModelBroken, match=r"probe row 0 .* scikit-learn \d"):
        check_profile(served.profile, columns, answer._replace(probability=answer.probability * 1.01))
    with pytest.raises(ManifestError, match="not the model's columns"):
        check_profile(served.profile, columns[1:], answer)


def test_a_profile_that_cannot_be_read_names_the_field(flights, tmp_path):
    document = json.loads((flights.folder / "profile.json").read_bytes())
    document["features"][1]["numeric"]["counts"].pop()
    content = json.dumps(document).encode()
    manifest = json.loads((flights.folder / "manifest.json").read_bytes())
    for file in manifest["files"]:
        source = content if file["path"] == "profile.json" else (flights.folder / file["path"]).read_bytes()
        (tmp_path / file["path"]).write_bytes(source)
        file["sha256"], file["size"] = digest_of(source).removeprefix("sha256:"), len(source)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ManifestError, match=r"profile\.json: features\.1\.numeric: .*pack the model again"):
        load_model(tmp_path, max_bytes=MAX)


def test_a_newer_packers_profile_still_serves(flights):
    document = json.loads((flights.folder / "profile.json").read_bytes())
    assert Profile.model_validate(document | {"later": 1}).rows == 400


REFUSED = {
    "no such label": ({"label": "lateness"}, "data: has no column lateness"),
    "no such slice": ({"slices": ["airport"]}, "slices: the data has no column airport"),
    "too many slices": ({"slices": ["hour"] * 9}, "at most 8"),
    "labels of another kind": ({"label": "origin"}, "no value of origin is a class of the model"),
    "no table": ({"data": 3, "label": None}, "int is no table"),
    "no rows": ({"data": pd.DataFrame({"carrier": []}), "label": None}, "has no rows"),
    "a column is missing": ({"data": pd.DataFrame({"carrier": ["AA"]}), "label": None}, "lacks the column distance"),
    "no such file": ({"data": "none.parquet", "label": None}, "none.parquet cannot be read"),
    "another kind of file": ({"data": "none.xlsx", "label": None}, "neither .parquet nor .csv"),
    "no such column": ({"columns": ["carrier", "x"]}, "columns: the data has no column x"),
    "nothing to take the label of": ({"data": None}, "give data="),
}


@pytest.mark.parametrize(("changes", "said"), REFUSED.values(), ids=REFUSED)
def test_data_that_does_not_fit_is_refused_with_the_name(flights, tmp_path, changes, said):
    more = {"data": flights.table, "label": "late"} | changes
    with pytest.raises(DataError, match=said):
        pack(flights.model, tmp_path / "m" / "1", **more)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [(pd.to_datetime(["2026-01-05"] * 4), "neither numbers nor text"), ([1, "a", 2, 3], "neither numbers nor text")],
)
def test_columns_that_no_request_can_carry(tmp_path, values, said):
    model = LogisticRegression().fit([[0.0], [1.0], [0.0], [1.0]], [0, 1, 0, 1])
    with pytest.raises(DataError, match=f"column when: .* {said}"):
        pack(model, tmp_path / "m" / "1", data=pd.DataFrame({"when": values}))


def test_missing_labels_are_refused(flights, tmp_path):
    table = flights.table.assign(late=flights.table["late"].where(flights.table.index > 2))
    with pytest.raises(DataError, match="3 rows have no label"):
        pack(flights.model, tmp_path / "m" / "1", data=table, label="late")


def test_a_model_that_knows_no_names_takes_all_columns_but_label_and_slices(data, tmp_path):
    model = LogisticRegression().fit(data.rows, data.late)
    table = pd.DataFrame(data.rows, columns=["a", "b", "c"]).assign(late=data.late, airport="JFK")
    with pytest.warns(PackingNote, match="airport is no input"):
        pack(model, tmp_path / "m" / "1", data=table, label="late", slices=["airport"])
    manifest = load_model(tmp_path / "m" / "1", max_bytes=MAX).manifest
    assert [column.name for column in manifest.columns] == ["a", "b", "c"]
    with pytest.raises(DataError, match=r"has 4 columns beside the label \(a, b, c, airport\), .* trained on 3"):
        pack(model, tmp_path / "m" / "2", data=table, label="late")
    pack(model, tmp_path / "m" / "2", data=table, label="late", columns=["c", "b", "a"])
    assert [c.name for c in load_model(tmp_path / "m" / "2", max_bytes=MAX).manifest.columns] == ["c", "b", "a"]


def test_a_mapping_of_columns_is_a_table(data, tmp_path):
    model = LinearRegression().fit(data.rows, data.rows[:, 0] * 60)
    columns = {"a": data.rows[:, 0], "b": data.rows[:, 1], "c": data.rows[:, 2], "minutes": data.rows[:, 0] * 60 + 1}
    pack(model, tmp_path / "m" / "1", data=columns, label="minutes")
    profile = load_model(tmp_path / "m" / "1", max_bytes=MAX).profile
    assert profile.answers.classes is None
    assert profile.baselines.overall["mae"] == pytest.approx(1)
    assert set(profile.baselines.overall) == {"mae", "rmse", "r2"}


def test_labels_without_probabilities_have_an_accuracy(data, tmp_path):
    table = pd.DataFrame(data.rows, columns=["a", "b", "c"]).assign(late=data.late)
    model = LinearSVC().fit(table[["a", "b", "c"]], table["late"])
    pack(model, tmp_path / "m" / "1", data=table, label="late")
    profile = load_model(tmp_path / "m" / "1", max_bytes=MAX).profile
    assert set(profile.answers.classes) == {"0", "1"}
    assert profile.answers.score is None
    outputs = json.loads(model_metadata(load_model(tmp_path / "m" / "1", max_bytes=MAX)))["outputs"]
    assert outputs == [{"name": "label", "datatype": "INT64", "shape": [-1]}]
    assert set(profile.baselines.overall) == {"accuracy"}


def test_many_classes_have_probabilities_and_an_auc():
    probability = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.6, 0.2, 0.2]])
    prediction = Prediction(np.array(["a", "b", "c", "a"]), probability)
    found = metrics_of(np.array(["a", "b", "c", "b"]), prediction, ("a", "b", "c"))
    assert found["accuracy"] == 0.75
    assert found["brier"] == pytest.approx(np.mean([0.06, 0.06, 0.24, 1.04]))
    assert 0.5 < found["auc"] <= 1
    assert set(metrics_of(np.array(["a"] * 4), prediction, ("a", "b", "c"))) == {"accuracy", "log_loss", "brier"}
    assert set(metrics_of(np.array(["x"] * 4), prediction, ("a", "b", "c"))) == {"accuracy"}


def test_a_wide_model_is_packed_with_a_note(tmp_path):
    table = pd.DataFrame(np.random.default_rng(0).random((30, MAX_OBSERVED + 1))).rename(columns=str)
    model = LinearRegression().fit(table, table["0"])
    with pytest.warns(PackingNote, match=f"the first {MAX_OBSERVED} of {MAX_OBSERVED + 1} inputs"):
        pack(model, tmp_path / "m" / "1", data=table)


def test_a_model_that_answers_a_matrix_otherwise_than_a_dataframe_is_refused(flights, served):
    """As one would that looks at a DataFrame's dtypes."""
    other = flights_pipeline().fit(flights.table[INPUTS], flights.table["late"].iloc[::-1].to_numpy())
    with pytest.raises(DataError, match=r"data: row \d+: the model answers otherwise"):
        packable(other).compare(served.predictor, flights.table, INPUTS)


def test_names_become_positions_and_the_fitted_model_stays_as_it_is(flights):
    names = list(flights.model.feature_names_in_)
    rewritten = by_position(flights.model)
    assert not hasattr(rewritten[0], "feature_names_in_")
    assert [selected for _, _, selected in rewritten[0].transformers_][:2] == [[0], [1, 2, 3]]
    assert list(flights.model.feature_names_in_) == names == INPUTS


def test_a_model_without_names_is_packed_as_it_is(data):
    model = make_pipeline(FunctionTransformer(), LogisticRegression()).fit(data.rows, data.late)
    assert by_position(model) is model
