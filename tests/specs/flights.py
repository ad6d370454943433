"""A small table of flights and a pipeline trained on it, as somebody has them in a notebook."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sluice_model_server.packing import pack

INPUTS = ["carrier", "distance", "hour", "temp"]


@dataclass(frozen=True)
class Flights:
    """table: 400 flights. model: trained on INPUTS of it, selected by name. digest, folder: of it packed."""

    table: pd.DataFrame
    model: Any
    folder: Path
    digest: str


def flights_table() -> pd.DataFrame:
    """Origin is no input of the model; 40 temperatures are missing."""
    random = np.random.default_rng(3)
    rows = 400
    table = pd.DataFrame(
        {
            "origin": random.choice(["EWR", "JFK"], rows),
            "carrier": ["AA"] * 240 + ["UA"] * 150 + ["HA"] * 10,
            "distance": random.gamma(2.0, 500.0, rows),
            "hour": random.integers(0, 24, rows),
            "temp": np.where(np.arange(rows) % 10 == 0, np.nan, random.normal(10, 8, rows)),
        }
    )
    table["late"] = np.where(table["hour"] / 24 + random.normal(0, 0.3, rows) > 0.6, "late", "on time")
    return table


def flights_pipeline() -> Any:
    """Not fitted. Text and numbers are selected by name and by dtype."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["carrier"]), (numbers, make_column_selector(dtype_include="number"))
    )
    return make_pipeline(columns, LogisticRegression())


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Flights:
    """Packed with slices by an input of each kind and by a column that is none."""
    table = flights_table()
    model = flights_pipeline().fit(table[INPUTS], table["late"])
    folder = tmp_path_factory.mktemp("flights") / "flight-delay" / "42"
    slices = ["carrier", "hour", "origin"]
    with pytest.warns(UserWarning, match="origin is no input"):
        digest = pack(model, folder, data=table, label="late", slices=slices)
    return Flights(table, model, folder, digest)
