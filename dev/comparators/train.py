"""The two models that all servers are compared with: `python train.py DIR` writes lr.joblib and rf.joblib.

Run by each comparator's own Python: a joblib file is for the scikit-learn that wrote it.
"""

import sys
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

FEATURES = 30


def models():
    """name -> fitted estimator; the same data everywhere."""
    random = np.random.default_rng(2013)
    rows = random.normal(size=(2000, FEATURES))
    late = (rows[:, 0] + rows[:, 1] + random.normal(size=2000) > 0).astype(int)
    yield "lr", LogisticRegression().fit(rows, late)
    yield "rf", RandomForestClassifier(100, random_state=0).fit(rows, late)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for name, model in models():
        joblib.dump(model, target / f"{name}.joblib")
