"""Every supported family packs, loads and answers bit for bit as scikit-learn does of the same file."""

import warnings

import numpy as np
import pytest
import skops.io

from sluice_dev.modelbench.families import FAMILIES
from sluice_dev.modelbench.sample import sample
from sluice_model_server.load import load_model
from sluice_model_server.packing import pack


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_packs_loads_and_answers(name, tmp_path):
    family = FAMILIES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few rows, few iterations
        drawn = sample(family, rows=120, seed=1)
    pack(drawn.model, tmp_path, name="m", version="1", columns=drawn.columns, probe=[drawn.rows[0].tolist()])
    # Not the estimator in memory: its arrays may lie in another order there, and sums in another order round otherwise.
    file = tmp_path / "model.skops"
    model = skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))
    predictor = load_model(tmp_path, max_bytes=1 << 30).predictor
    assert predictor.path == family.path
    assert family.mixed or predictor.accepts_missing == family.missing
    for rows in (drawn.rows[:1], drawn.rows[1:8], drawn.rows):
        answer = predictor.predict(rows)
        assert np.array_equal(answer.label, model.predict(rows))
        if hasattr(model, "predict_proba"):
            assert answer.probability.tobytes() == np.ascontiguousarray(model.predict_proba(rows)).tobytes()
        else:
            assert answer.probability is None
