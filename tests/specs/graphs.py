"""Small ONNX models, as skl2onnx converts them from fitted estimators, for all tests of the model server."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sluice_dev.modelbench.graphs import columns_graph, matrix_graph
from sluice_model_server.load import ServedModel, load_model
from sluice_model_server.manifest import Column
from sluice_model_server.packing import pack
from specs.flights import INPUTS, flights_pipeline, flights_table
from specs.models import LATE, ROWS

MAX_BYTES = 1 << 30
GAPS = ROWS.copy()
GAPS[::7, 1] = np.nan
FLIGHT_COLUMNS = (
    Column(name="carrier", datatype="BYTES"),
    Column(name="distance", datatype="FP32"),
    Column(name="hour", datatype="INT64"),
    Column(name="temp", datatype="FP32"),
)


@dataclass(frozen=True)
class Converted:
    """estimator: fitted. graph: of it. rows: rows x columns that it is asked. folder: of the graph, packed."""

    estimator: Any
    graph: ModelProto
    rows: Any
    folder: Path


def _estimators() -> dict[str, tuple[Any, Any, str]]:
    late = np.where(LATE, "late", "on time")
    return {
        "linear": (make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LATE), ROWS, "FP32"),
        "forest": (RandomForestClassifier(4, max_depth=4, random_state=1).fit(ROWS, late), ROWS, "FP32"),
        "boosting": (HistGradientBoostingClassifier(max_iter=4, random_state=1).fit(GAPS, LATE), GAPS, "FP32"),
        "double": (make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LATE), ROWS, "FP64"),
        "number": (LinearRegression().fit(ROWS, ROWS[:, 0]), ROWS, "FP32"),
    }


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Converted]:
    """By name: linear, forest, boosting, double, number (a regression), flights (an input per column, with text)."""
    root = tmp_path_factory.mktemp("graphs")
    models: dict[str, Converted] = {}
    for name, (estimator, rows, datatype) in _estimators().items():
        graph = matrix_graph(estimator, 3, datatype)
        pack(graph, root / name, name="delay", version="1")
        models[name] = Converted(estimator, graph, rows, root / name)
    table = flights_table()
    estimator = flights_pipeline().fit(table[INPUTS], table["late"])
    graph = columns_graph(estimator, FLIGHT_COLUMNS)
    pack(graph, root / "flights", name="delay", version="1", data=table, label="late", slices=["carrier"])
    rows = table[INPUTS].astype(object).to_numpy()
    models["flights"] = Converted(estimator, graph, rows, root / "flights")
    return models


@pytest.fixture(scope="session")
def served_graph(converted: dict[str, Converted]) -> Callable[[str], ServedModel]:
    """The packed graph of that name, loaded."""
    models = {name: load_model(found.folder, max_bytes=MAX_BYTES) for name, found in converted.items()}
    return models.__getitem__
