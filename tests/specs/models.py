"""Small fitted models, packed once, for all tests of the model server."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sluice_model_server.load import ServedModel, load_model
from sluice_model_server.manifest import Column
from sluice_model_server.packing import pack

MAX_BYTES = 1 << 30
RANDOM = np.random.default_rng(7)
ROWS = RANDOM.random((200, 3))
LATE = (ROWS[:, 0] + ROWS[:, 1] > 1).astype(int)
MIXED = np.array(
    [[row[0], carrier, row[1]] for row, carrier in zip(ROWS, ["AA", "UA"] * 100, strict=True)], dtype=object
)


def linear() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LATE)


def forest() -> Any:
    return RandomForestClassifier(4, max_depth=4, random_state=1).fit(ROWS, np.where(LATE, "late", "on time"))


def mixed(rows: Any = MIXED, encoder: Any = None) -> Any:
    """Without an encoder of its own it fails on texts that it does not know."""
    encode = ColumnTransformer([("number", StandardScaler(), [0, 2]), ("text", encoder or OneHotEncoder(), [1])])
    return make_pipeline(encode, LogisticRegression()).fit(rows, LATE)


def logs() -> Any:
    """Fails on numbers below -1, which nothing says of it."""
    return make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(ROWS, LATE)


MIXED_COLUMNS = (Column(name="hour"), Column(name="carrier", datatype="BYTES"), Column(name="humid", datatype="FP32"))


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of the packed models linear/, forest/, mixed/, logs/ and number/ (a regression)."""
    root = tmp_path_factory.mktemp("models")
    pack(linear(), root / "linear", name="delay", version="1")
    pack(forest(), root / "forest", name="delay", version="2")
    pack(mixed(), root / "mixed", name="delay", version="3", columns=MIXED_COLUMNS, probe=[[1.0, "AA", 0.5]])
    pack(logs(), root / "logs", name="delay", version="4", probe=[[1.0, 1.0, 1.0]])
    pack(LinearRegression().fit(ROWS, ROWS[:, 0]), root / "number", name="minutes", version="1")
    return root


@pytest.fixture(scope="session")
def served(packed: Path) -> Callable[[str], ServedModel]:
    """The packed model of that name, loaded."""
    models = {path.name: load_model(path, max_bytes=MAX_BYTES) for path in packed.iterdir()}
    return models.__getitem__


@dataclass(frozen=True)
class Data:
    """rows: 200 x 3 numbers. late: 0 or 1 for each. The linear model's predictions of them are `probability`."""

    rows: Any
    late: Any
    probability: Any


@pytest.fixture(scope="session")
def data() -> Data:
    return Data(ROWS, LATE, linear().predict_proba(ROWS))


@pytest.fixture(scope="session")
def matrix() -> Callable[..., dict[str, Any]]:
    """Makes a request of one [rows, columns] tensor."""

    def make(rows: Any, **more: Any) -> dict[str, Any]:
        values = np.asarray(rows, dtype=float)
        tensor = {"name": "rows", "shape": list(values.shape), "datatype": "FP64", "data": values.tolist()}
        return {"inputs": [tensor], **more}

    return make


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """This process's environment, but with compiled modules kept from one start to the next, as the image has them."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "SLUICE_MODEL_HOST": "127.0.0.1"}
