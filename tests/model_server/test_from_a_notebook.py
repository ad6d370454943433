"""What does somebody get who packs what they have in a notebook: is it packed, or is said what to do?"""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder

from sluice_dev.modelbench.graphs import matrix_graph
from sluice_model_server.errors import DataError, ModelServerError, UntrustedModel
from sluice_model_server.load import load_model
from sluice_model_server.packing import PackingNote, pack, pack_file
from sluice_model_server.profile import read_profile
from sluice_model_server.tables import matrix_of
from specs.flights import INPUTS, flights_pipeline, flights_table

NUMBERS = ["distance", "hour"]


@pytest.fixture(scope="module")
def table():
    return flights_table()


@pytest.fixture(scope="module")
def fitted(table):
    return flights_pipeline().fit(table[INPUTS], table["late"])


def strict(*arguments, **more):
    """pack, without a note of any kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", PackingNote)
        return pack(*arguments, **more)


CATEGORIES = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(max_iter=3, categorical_features=["hour"]),
        HistGradientBoostingClassifier(max_iter=3, categorical_features=[1]),
        make_pipeline(
            make_column_transformer((CATEGORIES, ["carrier"]), remainder="passthrough"),
            HistGradientBoostingClassifier(max_iter=3, categorical_features=[0]),
        ),
        CalibratedClassifierCV(flights_pipeline(), cv=2),
        make_pipeline(
            make_column_transformer((CATEGORIES, ["carrier"]), remainder="passthrough"), RandomForestClassifier(3)
        ),
    ],
    ids=["categories by name", "categories by place", "categories in a pipeline", "calibrated", "forest"],
)
def test_what_selects_by_name_is_packed_with_data(model, table, tmp_path):
    inputs = NUMBERS if isinstance(model, HistGradientBoostingClassifier) else INPUTS
    whole = table.dropna()
    model.fit(whole[inputs], whole["late"])
    strict(model, tmp_path / "m" / "1", data=whole, label="late")
    served = load_model(tmp_path / "m" / "1", max_bytes=1 << 30).predictor
    answer = served.predict(matrix_of(whole, served.columns))
    assert answer.probability == pytest.approx(model.predict_proba(whole[inputs]), rel=1e-9)


def test_a_forest_as_a_graph_has_baselines(table, tmp_path):
    """Sums of 32-bit shares are a little more than 1."""
    forest = RandomForestClassifier(30, random_state=0).fit(table[NUMBERS].to_numpy(), table["late"])
    folder = tmp_path / "m" / "1"
    strict(matrix_graph(forest, 2), folder, data=table[[*NUMBERS, "late"]], label="late")
    served = load_model(folder, max_bytes=1 << 30)
    assert read_profile(folder, served.manifest).baselines.overall["log_loss"] > 0


def test_texts_that_the_model_must_know_are_told(table, tmp_path):
    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["carrier"])), LogisticRegression())
    model.fit(table[["carrier"]], table["late"])
    with pytest.warns(PackingNote, match="carrier: a text that the model was not trained on is refused"):
        pack(model, tmp_path / "m" / "1", data=table[["carrier", "late"]], label="late")


def test_missing_texts_that_no_request_can_send_are_told(table, tmp_path):
    gaps = table.assign(carrier=table["carrier"].mask(np.arange(len(table)) % 7 == 0))
    learned = make_pipeline(make_column_transformer((OneHotEncoder(), ["carrier"])), LogisticRegression())
    learned.fit(gaps[["carrier"]], gaps["late"])
    with pytest.warns(PackingNote) as said:  # missing is one of its categories
        pack(learned, tmp_path / "m" / "1", data=gaps[["carrier", "late"]], label="late")
    assert not [note for note in said if "have no text" in str(note.message)]
    assert load_model(tmp_path / "m" / "1", max_bytes=1 << 30).predictor.without_text == {0}


def test_none_is_no_missing_value_of_a_request(table, tmp_path):
    texts = table["carrier"].astype(object).where(np.arange(len(table)) % 7 != 0, None)
    gaps = pd.DataFrame({"carrier": pd.Series(texts.tolist(), dtype=object), "late": table["late"]})
    gaps = pd.concat([gaps[gaps["carrier"].notna()]] * 7 + [gaps[gaps["carrier"].isna()]])  # behind the first 2,000
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["carrier"])), LogisticRegression()
    )
    model.fit(gaps[["carrier"]], (gaps["carrier"].isna()).astype(int))
    with pytest.raises(DataError, match="carrier is None, to which the model answers otherwise than to NaN"):
        pack(model, tmp_path / "m" / "1", data=gaps)
    # The remedy of docs/how-to/pack-a-model.md.
    texts = make_pipeline(SimpleImputer(strategy="constant", fill_value="?"), OneHotEncoder(handle_unknown="ignore"))
    filled = gaps.assign(carrier=gaps["carrier"].fillna(np.nan))
    model = make_pipeline(make_column_transformer((texts, ["carrier"])), LogisticRegression())
    strict(model.fit(filled[["carrier"]], gaps["carrier"].isna()), tmp_path / "m" / "1", data=filled[["carrier"]])
    assert load_model(tmp_path / "m" / "1", max_bytes=1 << 30).predictor.without_text == {0}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"data": None, "label": None}, "selects columns by name.*give data"),
        ({"label": pd.Series([1])}, "label: is the name of a column of the data, not a Series"),
        ({"label": "lat"}, "data: has no column lat; label must name one of"),
        ({"data": pd.Series([1.0])}, "Series is no table with names"),
        ({"data": np.ones((3, 4))}, r"ndarray is no table with names; give a DataFrame \(of a matrix: pd.DataFrame"),
        ({"evaluation": pd.DataFrame({"late": ["late"]})}, "evaluation: has no column carrier, which the model takes"),
        ({"name": "flight delay"}, "name: 'flight delay' must be letters, digits"),
    ],
    ids=lambda value: None,
)
def test_what_is_missing_or_of_another_kind_is_named(fitted, table, tmp_path, more, said):
    with pytest.raises(DataError, match=said):
        pack(fitted, tmp_path / "m" / "1", **{"data": table, "label": "late", **more})


def test_an_evaluation_that_the_model_does_not_answer_is_called_so(table, tmp_path):
    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["carrier"])), LogisticRegression())
    model.fit(table[["carrier"]], table["late"])
    other = table.assign(carrier="ZZ")
    with pytest.raises(DataError, match="evaluation: the model does not answer all of it"):
        pack(model, tmp_path / "m" / "1", data=table, label="late", evaluation=other)


def test_labels_of_another_type_are_shown(table, tmp_path):
    model = LogisticRegression().fit(table[NUMBERS], table["late"] == "late")
    with pytest.raises(DataError, match=r"its first is [01]; give the labels that it was trained on"):
        pack(model, tmp_path / "m" / "1", data=table.assign(late=(table["late"] == "late").astype(int)), label="late")


def test_data_that_the_model_does_not_take_is_no_stack_trace(table, tmp_path):
    model = LogisticRegression().fit(table[NUMBERS], table["late"])
    gaps = table.assign(hour=table["hour"].astype(float).mask(table["hour"] == 3))
    with pytest.raises(DataError, match="data: the model does not answer its own data: Input X contains NaN"):
        pack(model, tmp_path / "m" / "1", data=gaps, label="late")


@pytest.mark.parametrize("model", [flights_pipeline(), LinearRegression()], ids=["pipeline", "alone"])
def test_what_is_not_fitted_is_called_so(model, table, tmp_path):
    with pytest.raises(DataError, match="is not fitted; call fit first"):
        pack(model, tmp_path / "m" / "1", data=table, label="late")


def test_several_numbers_a_row_have_no_profile(table, tmp_path):
    model = LinearRegression().fit(table[NUMBERS], table[NUMBERS])
    with pytest.raises(DataError, match="the model answers 2 numbers per row"):
        pack(model, tmp_path / "m" / "1", data=table[NUMBERS])


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (FunctionTransformer(lambda rows: rows), "code of its author's: use steps of scikit-learn's own"),
        (GridSearchCV(LogisticRegression(), {"C": [1.0]}), "pack its best_estimator_"),
    ],
    ids=["a function", "a search"],
)
def test_types_that_are_not_served_come_with_advice(step, said, table, tmp_path):
    model = step if isinstance(step, GridSearchCV) else make_pipeline(step, LogisticRegression())
    model.fit(table[NUMBERS], table["late"])
    with pytest.raises(UntrustedModel, match=said):
        pack(model, tmp_path / "m" / "1", data=table, label="late")


def test_a_file_is_packed_by_its_path(table, tmp_path):
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["carrier"]))
    model = make_pipeline(encode, LogisticRegression()).fit(table[["carrier"]], table["late"])
    skops.io.dump(model, tmp_path / "model.skops")
    there = pack(tmp_path / "model.skops", tmp_path / "a" / "1", data=table, label="late", name="m")
    assert there == pack(model, tmp_path / "b" / "1", data=table, label="late", name="m")
    with pytest.raises(DataError, match="selects columns by name"):
        pack_file(tmp_path / "model.skops", tmp_path / "c" / "1")
    for name, said in (("none.skops", "no such file"), ("m.joblib", "pickle and joblib files run code")):
        with pytest.raises(ModelServerError, match=said):
            pack(str(tmp_path / name), tmp_path / "c" / "1")


def test_a_folder_is_not_left_with_another_models_card(fitted, table, tmp_path):
    folder = tmp_path / "m" / "1"
    strict(fitted, folder, data=table, label="late", slices="carrier")
    strict(fitted, folder, data=table, label="late", slices=["carrier"])  # the same again
    with pytest.warns(PackingNote, match="held another model, sha256:.*, which is replaced"):
        pack(LinearRegression().fit(table[NUMBERS], table["hour"]), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "model.skops"]
    with pytest.raises(ModelServerError, match=f"name a version's folder: {re.escape(str(folder))}"):
        load_model(folder.parent, max_bytes=1 << 30)
