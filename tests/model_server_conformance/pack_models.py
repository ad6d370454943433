"""Packs the models that the clients ask, and what scikit-learn answers. Run by the server's own environment.

python pack_models.py DIRECTORY
"""

import json
import sys
from pathlib import Path

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sluice_model_server.manifest import Column
from sluice_model_server.packing import pack

RANDOM = np.random.default_rng(7)
ROWS = RANDOM.random((60, 4))
LATE = (ROWS[:, 0] + ROWS[:, 1] > 1).astype(int)
CARRIERS = np.where(RANDOM.random(60) < 0.5, "AA", "ÜA")
MIXED = np.array([[row[0], carrier, row[1]] for row, carrier in zip(ROWS, CARRIERS, strict=True)], dtype=object)


def main(root: Path) -> None:
    """number/: a regression. forest/: text labels, 32-bit numbers. mixed/: text and numbers, unknown texts allowed."""
    forest = RandomForestClassifier(5, max_depth=4, random_state=1).fit(ROWS, np.where(LATE, "spät", "on time"))
    pack(forest, root / "forest", name="delay", version="2")
    number = LinearRegression().fit(ROWS, ROWS[:, 0] * 60)
    pack(number, root / "number", name="minutes", version="1+build.5")
    encode = ColumnTransformer(
        [("number", StandardScaler(), [0, 2]), ("text", OneHotEncoder(handle_unknown="ignore"), [1])]
    )
    mixed = make_pipeline(encode, LogisticRegression()).fit(MIXED, LATE)
    columns = (Column(name="hour"), Column(name="carrier", datatype="BYTES"), Column(name="humid"))
    pack(mixed, root / "mixed", name="delay", version="3", columns=columns, probe=[[0.5, "AA", 0.5]])
    answers = {
        "rows": ROWS.tolist(),
        "mixed_rows": MIXED.tolist(),
        "forest": {"label": forest.predict(ROWS).tolist(), "probability": forest.predict_proba(ROWS).tolist()},
        "number": {"label": number.predict(ROWS).tolist()},
        "mixed": {"label": mixed.predict(MIXED).tolist(), "probability": mixed.predict_proba(MIXED).tolist()},
    }
    (root / "answers.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
