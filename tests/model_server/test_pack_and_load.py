"""Which models are packed to which digest, and which are refused when they are loaded?"""

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sluice_model_server.archive import dump
from sluice_model_server.errors import DigestMismatch, ManifestError, ModelBroken, UnsupportedFormat, UntrustedModel
from sluice_model_server.load import load_model
from sluice_model_server.manifest import digest_of
from sluice_model_server.packing import pack, pack_file
from sluice_model_server.review import check_model
from sluice_model_server.trust import load_trusted

MAX = 1 << 30
TREE_MODELS = [
    DecisionTreeClassifier(max_depth=3, random_state=0),
    RandomForestClassifier(3, max_depth=3, random_state=0),
    GradientBoostingClassifier(n_estimators=3, random_state=0),
    HistGradientBoostingClassifier(max_iter=3, random_state=0),
]


@pytest.mark.parametrize("estimator", [make_pipeline(StandardScaler(), LogisticRegression()), *TREE_MODELS], ids=str)
def test_a_packed_model_answers_as_the_fitted_one(estimator, data, tmp_path):
    model = estimator.fit(data.rows, data.late)
    digest = pack(model, tmp_path, name="m", version="1")
    served = load_model(tmp_path, max_bytes=MAX)
    assert served.digest == digest == digest_of((tmp_path / "manifest.json").read_bytes())
    answer = served.predictor.predict(data.rows)
    assert np.array_equal(answer.probability, model.predict_proba(data.rows))
    assert np.array_equal(answer.label, model.predict(data.rows))


@pytest.mark.parametrize("estimator", TREE_MODELS, ids=str)
def test_equal_models_have_equal_digests(estimator, data, tmp_path):
    digests = {
        pack(estimator.fit(data.rows, data.late), tmp_path / str(run), name="m", version="1") for run in range(2)
    }
    other = pack(estimator.fit(data.rows, 1 - data.late), tmp_path / "other", name="m", version="1")
    assert len(digests) == 1
    assert other not in digests


SMALL_FOREST = """
import numpy as np
from sklearn.ensemble import RandomForestClassifier
rows = np.random.default_rng(1).random((50, 3))
model = RandomForestClassifier(2, random_state=0).fit(rows, rows[:, 0] > 0.5)
"""
PACK_IT = """
import sys
from pathlib import Path
from sluice_model_server.packing import pack
print(pack(model, Path(sys.argv[1]), name="m", version="1"))
"""


def test_another_process_packs_the_same_bytes(tmp_path, environment):
    here: dict[str, Any] = {}
    exec(SMALL_FOREST, here)  # noqa: S102 - the same few lines there and here
    command = [sys.executable, "-c", SMALL_FOREST + PACK_IT, tmp_path / "there"]
    there = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()
    assert there == pack(here["model"], tmp_path / "here", name="m", version="1")


def test_missing_values_are_taken_where_the_model_takes_them(data, tmp_path):
    pack(HistGradientBoostingClassifier(max_iter=2).fit(data.rows, data.late), tmp_path / "a", name="m", version="1")
    pack(LogisticRegression().fit(data.rows, data.late), tmp_path / "b", name="m", version="1")
    assert load_model(tmp_path / "a", max_bytes=MAX).predictor.accepts_missing
    assert not load_model(tmp_path / "b", max_bytes=MAX).predictor.accepts_missing


def with_nodes(tree, change):
    """Spoils a fitted tree's stored nodes as a tampered file would."""
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    change(nodes)
    tree.__setstate__(state | {"nodes": nodes})


def set_first(field, value):
    def change(nodes):
        nodes[field][0] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_first("left_child", 10**6), "child lies outside"),
        (set_first("right_child", 10**6), "child lies outside"),
        (set_first("left_child", 0), "child lies outside"),
        (set_first("right_child", -5), "child lies outside"),
        (set_first("left_child", -1), "exactly one child"),
        (set_first("feature", 3), "feature outside 0..2"),
        (set_first("feature", -2), "feature outside 0..2"),
    ],
)
@pytest.mark.parametrize("owner", [lambda forest: forest, lambda forest: make_pipeline(StandardScaler(), forest)])
def test_tampered_trees_are_refused(data, tmp_path, change, said, owner):
    forest = RandomForestClassifier(3, random_state=0).fit(data.rows, data.late)
    with_nodes(forest.estimators_[1].tree_, change)
    (tmp_path / "model.skops").write_bytes(dump(owner(forest)))
    with pytest.raises(UntrustedModel, match=said):
        load_trusted(tmp_path / "model.skops", max_bytes=MAX)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("left", 10**6, "child lies outside"), ("right", 0, "child lies outside"), ("feature_idx", 9, "feature outside")],
)
def test_tampered_boosting_is_refused(data, tmp_path, field, value, said):
    model = HistGradientBoostingClassifier(max_iter=2).fit(data.rows, data.late)
    model._predictors[1][0].nodes[field][0] = value
    (tmp_path / "model.skops").write_bytes(dump(model))
    with pytest.raises(UntrustedModel, match=said):
        load_trusted(tmp_path / "model.skops", max_bytes=MAX)


def test_a_category_set_that_does_not_exist_is_refused(data):
    model = HistGradientBoostingClassifier(max_iter=1, categorical_features=[0]).fit(
        np.column_stack([data.late * 3, data.rows]), data.late
    )
    tree = model._predictors[0][0]
    check_model(model)
    tree.nodes["bitset_idx"][tree.nodes["is_categorical"] != 0] = 99
    with pytest.raises(UntrustedModel, match="category set"):
        check_model(model)


def test_a_forest_that_claims_fewer_features_than_its_trees_is_refused(data):
    forest = RandomForestClassifier(2, random_state=0).fit(data.rows, data.late)
    check_model(forest)
    forest.n_features_in_ = 1
    with pytest.raises(UntrustedModel, match="another number of features"):
        check_model(forest)


def test_boosting_with_more_columns_than_it_says_is_refused(data):
    model = GradientBoostingClassifier(n_estimators=2).fit(data.rows, data.late)
    model.estimators_ = np.column_stack([model.estimators_, model.estimators_])
    with pytest.raises(UntrustedModel, match="n_trees_per_iteration_"):
        check_model(model)


def test_code_in_a_model_is_refused(data, tmp_path):
    model = make_pipeline(FunctionTransformer(subprocess.list2cmdline), LogisticRegression())
    model.steps[1][1].fit(data.rows, data.late)
    (tmp_path / "model.skops").write_bytes(dump(model))
    with pytest.raises(UntrustedModel, match="list2cmdline"):
        load_trusted(tmp_path / "model.skops", max_bytes=MAX)


class LeavesATrace:
    """A pickle of this creates a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize(
    "save",
    [
        lambda path: path.write_bytes(pickle.dumps(LeavesATrace(path.with_name("trace")))),
        lambda path: path.write_bytes(pickle.dumps(LogisticRegression(), protocol=0)),
        lambda path: joblib.dump(LogisticRegression(), path),
        lambda path: joblib.dump(LogisticRegression(), path, compress=("gzip", 3)),
        lambda path: np.savez(path.open("wb"), a=np.zeros(3)),
    ],
)
def test_pickles_under_another_name_are_refused_and_not_run(save, tmp_path):
    save(tmp_path / "model.skops")
    with pytest.raises(UnsupportedFormat, match=r"skops\.io\.dump"):
        load_trusted(tmp_path / "model.skops", max_bytes=MAX)
    assert not (tmp_path / "trace").exists()


def test_a_pickle_by_name_is_not_packed(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"")
    with pytest.raises(UnsupportedFormat, match="refused"):
        pack_file(tmp_path / "model.pkl", tmp_path / "out", name="m", version="1")


def test_an_archive_that_unpacks_to_too_much_is_refused(packed):
    with pytest.raises(UntrustedModel, match="SLUICE_MODEL_MAX_MODEL_BYTES"):
        load_trusted(packed / "forest" / "model.skops", max_bytes=100)


@pytest.mark.parametrize(
    ("model", "lacks", "said"),
    [
        (StandardScaler(), None, "has no predict"),
        (LinearRegression(), "n_features_in_", "n_features_in_"),
        (LogisticRegression(), "classes_", "no classes_"),
    ],
)
def test_models_that_cannot_answer_are_refused(model, lacks, said, data, tmp_path):
    model = clone(model).fit(data.rows, data.late)
    if lacks:
        delattr(model, lacks)
    with pytest.raises(ModelBroken, match=said):
        pack(model, tmp_path, name="m", version="1")


def test_a_probe_that_fails_is_refused_with_the_reason(data, tmp_path):
    model = LogisticRegression().fit(data.rows, data.late)
    with pytest.raises(ModelBroken, match="probe"):
        pack(model, tmp_path, name="m", version="1", probe=[[float("1"), None, 2.0]])
    model.coef_[0, 0] = np.nan
    with pytest.raises(ModelBroken, match="one finite answer per row"):
        pack(model, tmp_path, name="m", version="1", probe=[[1.0, 1.0, 2.0]])


def test_a_model_whose_own_predict_does_not_answer_is_refused(data, tmp_path):
    model = MLPClassifier((3,), max_iter=5, random_state=0).fit(data.rows, data.late)
    del model._label_binarizer.sparse_input_  # of which the probabilities, that the label is taken from, know nothing
    with pytest.raises(ModelBroken, match="does not answer its probe: AttributeError"):
        pack(model, tmp_path, name="m", version="1", probe=[[1.0, 1.0, 2.0]])


def test_a_model_whose_own_predict_says_otherwise_is_refused(data, tmp_path, monkeypatch):
    model = LogisticRegression().fit(data.rows, data.late)
    monkeypatch.setattr(LogisticRegression, "predict", lambda self, rows: 1 - self.predict_proba(rows).argmax(axis=1))
    with pytest.raises(ModelBroken, match="predict says otherwise on its probe than its probabilities"):
        pack(model, tmp_path, name="m", version="1", probe=[[1.0, 1.0, 2.0]])


def test_files_are_verified_again_where_they_are_served(data, tmp_path):
    pack(LogisticRegression().fit(data.rows, data.late), tmp_path, name="m", version="1")
    (tmp_path / "model.skops").write_bytes(b"other")
    with pytest.raises(DigestMismatch):
        load_model(tmp_path, max_bytes=MAX)
    (tmp_path / "model.skops").unlink()
    with pytest.raises(ManifestError, match="fetch the model again"):
        load_model(tmp_path, max_bytes=MAX)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "a/b"}, "name"),
        ({"version": ""}, "version"),
        ({"files": []}, "files"),
        ({"format": "tf"}, "'tf' is not served; known: skops, onnx"),
        ({"format": "onnx"}, "exactly one file must end in .onnx"),
        ({"columns": [{"name": "a"}, {"name": "a"}]}, "columns: a name stands twice"),
        ({"columns": [{"name": "a"}], "probe": [[1, 2]]}, r"probe\[0\] has 2 values for 1 columns"),
        ({"columns": [{"name": "a", "datatype": "FP16"}]}, "columns.0.datatype"),
        ({"columns": [{"name": "a"}]}, "names 1 columns, the model was trained on 3"),
        ({"probe": [[1.0]]}, "probe rows must have 3 values"),
    ],
)
def test_manifests_that_say_something_impossible(packed, tmp_path, changes, said):
    (tmp_path / "model.skops").write_bytes((packed / "linear" / "model.skops").read_bytes())
    document = json.loads((packed / "linear" / "manifest.json").read_bytes()) | changes
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    with pytest.raises((ManifestError, UnsupportedFormat, ModelBroken), match=said):
        load_model(tmp_path, max_bytes=MAX)
