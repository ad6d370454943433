"""When does a compiled path answer, and when must scikit-learn?"""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sluice_model_server.compiled import compile_model


def compiled(model, data):
    ask = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    return compile_model(model, ask, data.rows[:4])


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(with_mean=False), StandardScaler(with_std=False), LogisticRegression()),
        RandomForestClassifier(5, random_state=0),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [1, 2, 7, 64, 200])
def test_its_probabilities_are_bit_for_bit_scikit_learns(model, size, data):
    model.fit(data.rows, data.late)
    rows = data.rows[:size]
    assert compiled(model, data).answer(rows).tobytes() == model.predict_proba(rows).tobytes()


@pytest.mark.parametrize("model", [LinearRegression(), RandomForestRegressor(5, random_state=0)], ids=str)
def test_its_numbers_are_bit_for_bit_scikit_learns(model, data):
    model.fit(data.rows, data.rows[:, 0])
    assert compiled(model, data).answer(data.rows).tobytes() == model.predict(data.rows).tobytes()


def test_a_model_that_answers_otherwise_is_left_to_scikit_learn(data):
    model = LogisticRegression().fit(data.rows, data.late)
    ask = model.predict_proba

    def last_bit_differs(rows):
        answer = ask(rows)
        answer[-1, 0] = np.nextafter(answer[-1, 0], 1)
        return answer

    assert compile_model(model, ask, data.rows[:4])
    assert compile_model(model, last_bit_differs, data.rows[:4]) is None


def test_what_has_no_path_is_left_to_scikit_learn(data):
    assert compiled(make_pipeline(MinMaxScaler(), LogisticRegression()).fit(data.rows, data.late), data) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_rows_that_scikit_learn_refuses_are_left_to_it(value, data):
    rows = data.rows[:3].copy()
    rows[1, 2] = value
    if not np.isnan(value):  # a forest takes missing values
        forest = RandomForestClassifier(3, random_state=0).fit(data.rows, data.late)
        assert compiled(forest, data).answer(rows) is None
    if not np.isfinite(value):
        linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(data.rows, data.late)
        assert compiled(linear, data).answer(rows) is None


def test_missing_values_that_a_forest_was_trained_on_are_its_own(data):
    rows = data.rows.copy()
    rows[::5, 1] = np.nan
    forest = RandomForestClassifier(3, random_state=0).fit(rows, data.late)
    assert compiled(forest, data).answer(rows).tobytes() == forest.predict_proba(rows).tobytes()
