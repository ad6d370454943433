"""Which model files are refused, and what is said of them?"""

import json

import numpy as np
import pytest
from scipy import sparse

from sluice_dev.modelbench import hostile_files
from sluice_dev.modelbench.families import FAMILIES
from sluice_dev.modelbench.sample import sample
from sluice_model_server.archive import dump
from sluice_model_server.errors import ModelBroken, UnsupportedFormat, UntrustedModel
from sluice_model_server.review import check_model, table
from sluice_model_server.review.checks import CHECKS
from sluice_model_server.trust import load_trusted


@pytest.fixture(scope="module")
def content():
    return dump(sample(FAMILIES["scaled logistic"], rows=50, seed=0).model)


@pytest.fixture
def refused(tmp_path):
    """Loads a file that must be refused, and returns what is said."""

    def load(content: bytes) -> str:
        path = tmp_path / "model.skops"
        path.write_bytes(content)
        with pytest.raises((UntrustedModel, UnsupportedFormat, ModelBroken)) as refusal:
            load_trusted(path, max_bytes=64 << 20)
        return str(refusal.value)

    return load


def test_every_pickle_is_refused_with_the_way_out_and_runs_no_code(refused, capfd):
    model = sample(FAMILIES["logistic"], rows=50, seed=0).model
    for case in hostile_files.pickles(model):
        assert "skops.io.dump" in refused(case.content), case
    assert "ran its code" not in capfd.readouterr().out


def test_types_and_loaders_that_no_model_needs_are_refused(refused, content):
    for case in hostile_files.types("m", content):
        assert refused(case.content), case


def test_a_foreign_type_is_named(refused, content):
    schema = json.loads(hostile_files.read(content)["schema.json"])
    schema |= {"__module__": "subprocess", "__class__": "Popen"}
    entries = {**hostile_files.read(content), "schema.json": json.dumps(schema).encode()}
    assert "subprocess.Popen is not among the reviewed types" in refused(hostile_files.write(entries))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("entry ../escape.npy", "plain names"),
        ("entry /etc/passwd", "plain names"),
        ("entry run.pkl", "plain names"),
        ("schema.json missing", "without schema.json"),
        ("array missing", "asks for a file that the archive does not have"),
        ("array that says (99999999999,)", "says shape"),
        ("array that says (-1,)", "says shape"),
        ("array of objects", "run code"),
        ("array that is a pickle", "is no array"),
        ("header that is code", "is no array"),
        ("header of 1 GB", "is no array"),
        ("entry twice", "two of one name"),
        ("bomb in the place of an array, its size denied", "unpacks to more than the"),
        ("bomb of 3 GiB", "SLUICE_MODEL_MAX_MODEL_BYTES"),
    ],
)
def test_archives_that_are_not_what_they_say(refused, attacks, what, said):
    assert said in refused(attacks[what])


@pytest.fixture(scope="module")
def attacks(content):
    sizes = {"bomb": 80 << 20, "denied": 8 << 20, "schema": 1 << 20}
    return {case.what.removeprefix("m: "): case.content for case in hostile_files.archives("m", content, sizes)}


def test_a_file_that_ends_early_is_refused_wherever_it_ends(refused, content):
    for end in range(0, len(content), 97):
        assert refused(content[:end])


def test_every_check_of_the_table_exists_and_is_used():
    assert {review.check for review in table.REVIEWED.values() if review.check} == set(CHECKS)


def test_what_a_table_row_names_exists():
    from importlib import import_module

    for name in table.REVIEWED:
        module, _, kind = name.rpartition(".")
        assert isinstance(getattr(import_module(module), kind), type), name


def fitted(name):
    return sample(FAMILIES[name], rows=60, seed=0).model


def last(model):
    return model.steps[-1][1]


def put(name, value, of=last):
    def change(model):
        setattr(of(model), name, value(getattr(of(model), name)) if callable(value) else value)

    return change


def itself(model):
    return model


def encoder(model):
    return model.steps[0][1].transformers_[0][1]


def first_tree(model):
    return model._predictors[0][0]


def node(field, value):
    def change(model):
        first_tree(model).nodes[field][0] = value

    return change


def categorical_everywhere(model):
    nodes = first_tree(model).nodes
    nodes["is_categorical"] = 1


def sets_that_do_not_exist(model):
    categorical_everywhere(model)
    model._predictors[0][0].nodes["bitset_idx"] = 99


def narrower(model):
    model.n_features_in_ = model._max_features = 2


def reversed_words(terms):
    return dict.fromkeys(terms, len(terms))


CASES = [
    ("support vectors", put("_n_support", lambda n: n + 1), "does not add up"),
    ("support vectors", put("_dual_coef_", lambda a: np.ascontiguousarray(a[:, :-1])), "_dual_coef_ must be"),
    ("support vectors", put("support_vectors_", lambda a: np.ascontiguousarray(a[:, :2])), "support_vectors_ must be"),
    ("support vectors", put("_intercept_", lambda a: a[:1]), "_intercept_ must be"),
    ("support vectors", put("support_", lambda a: a.astype(np.int64)), "support_ must be"),
    ("support vectors", put("_probA", lambda a: np.zeros(2)), "one number per pair"),
    ("support vectors", put("kernel", "precomputed"), "kernel must be"),
    ("support vector regression", put("_dual_coef_", lambda a: np.vstack([a, a])), "_dual_coef_ must be"),
    ("neighbours", put("_y", lambda a: a + 2), "no class's number"),
    ("neighbours", put("_fit_X", lambda a: np.ascontiguousarray(a[:, :1])), "_fit_X must be"),
    ("neighbours", put("n_neighbors", 61), "n_neighbors must be"),
    ("neighbours", put("effective_metric_", "mahalanobis"), "metric must be"),
    ("neighbours", put("_fit_method", "kd_tree"), "brute"),
    ("k-means", put("cluster_centers_", lambda a: np.ascontiguousarray(a[:, :1])), "cluster_centers_ must be"),
    ("text, one-hot", put("_n_features_outs", lambda n: [1], encoder), "_n_features_outs is not"),
    (
        "text, one-hot, rare together",
        put("_default_to_infrequent_mappings", lambda m: [np.full(4, 99)], encoder),
        "encodes beyond|_default_to_infrequent_mappings",
    ),
    ("text, counts of words", put("vocabulary_", reversed_words, encoder), "number its words"),
    ("text, counts of words", put("input", "filename", encoder), "input must be 'content'"),
    ("text, counts of words", put("token_pattern", r"(a+)+$", encoder), "token_pattern must be"),
    ("text, hashed words", put("token_pattern", r"(a+)+$", encoder), "token_pattern must be"),
    ("a numpy function", put("func", lambda f: print, lambda m: m.steps[0][1]), "reviewed types|func must be"),
    ("histogram boosting", node("left", 10**6), "child lies outside"),
    ("histogram boosting", node("feature_idx", 4), "feature outside"),
    ("histogram boosting", categorical_everywhere, "category"),
    ("histogram boosting, categories", sets_that_do_not_exist, "category set|number for its category"),
    ("isolation forest", narrower, "more columns"),
    ("gradient boosting", put("n_trees_per_iteration_", 2, itself), "n_trees_per_iteration_"),
    ("forest", put("n_outputs_", 2, itself), "another number of outputs"),
    ("logistic", put("predict", 1.0, itself), "hides the method predict"),
]


@pytest.mark.parametrize(("name", "change", "said"), CASES, ids=[f"{name}: {said}" for name, _, said in CASES])
def test_parts_that_do_not_fit_together(name, change, said):
    model = fitted(name)
    check_model(model)
    change(model)
    with pytest.raises(UntrustedModel, match=said):
        check_model(model)


@pytest.mark.parametrize("field", ["indices", "indptr"])
def test_a_sparse_matrix_that_points_outside_itself(field):
    model = fitted("logistic")
    model.coef_ = sparse.csr_matrix(model.coef_)
    check_model(model)
    getattr(model.coef_, field)[-1] = 10**6
    with pytest.raises(UntrustedModel, match="points outside itself"):
        check_model(model)


def test_a_random_state_that_points_outside_itself():
    model = fitted("logistic")
    model.random_state = np.random.RandomState(0)
    check_model(model)
    state = model.random_state.get_state(legacy=False)
    state["state"]["pos"] = 10**6
    model.random_state.set_state(state)
    with pytest.raises(UntrustedModel, match="random state"):
        check_model(model)


def test_a_tree_whose_constructor_would_read_beyond_its_classes(refused):
    content = dump(fitted("tree"))
    entries = hostile_files.read(content)
    schema = json.loads(entries["schema.json"])
    (tree,) = hostile_files.nodes(schema, "TreeNode")
    tree["__reduce__"]["args"]["content"][2]["content"] = "1000000"
    entries["schema.json"] = json.dumps(schema).encode()
    assert "a tree says 1000000 outputs" in refused(hostile_files.write(entries))


def test_neighbours_in_a_tree_are_refused_with_the_way_out(refused):
    from sklearn.neighbors import KNeighborsClassifier

    rows = np.random.default_rng(0).random((50, 3))
    model = KNeighborsClassifier(algorithm="kd_tree").fit(rows, rows[:, 0] > 0.5)
    assert "algorithm='brute'" in refused(dump(model))
