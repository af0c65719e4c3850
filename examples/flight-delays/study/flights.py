"""Flights with their features, as they were known at departure."""

from pathlib import Path

import numpy as np
import pandas as pd

HOUR = 3_600_000
DAY = 24 * HOUR
LATE_AFTER = 15
WINDOWS = {"3h": 3 * HOUR, "24h": 24 * HOUR}
FEATURES = ["distance", "local_hour"] + [
    f"{airport}_{value}_{window}"
    for airport in ("origin", "destination")
    for window in WINDOWS
    for value in ("mean_delay", "late_share")
]


def millis(times: pd.Series) -> np.ndarray:
    return pd.to_datetime(times).astype("datetime64[ms, UTC]").astype("int64").to_numpy()


def load(folder: Path) -> pd.DataFrame:
    departures = pd.read_json(folder / "departures.ndjson", lines=True)
    arrivals = pd.read_json(folder / "arrivals.ndjson", lines=True)
    departures["departed"] = millis(departures["date"])
    arrivals["landed"] = millis(arrivals["landed"])
    flights = departures.drop(columns="date").merge(arrivals[["flight", "landed", "delay"]], on="flight")
    return flights.sort_values(["departed", "flight"]).reset_index(drop=True)


def shift(flights: pd.DataFrame, start: int | None, miles: int = 800, minutes: int = 30) -> pd.DataFrame:
    """The injected change: from `start` (of landing) shorter flights arrive `minutes` later."""
    flights = flights.copy()
    if start is not None:
        hit = (flights["landed"] >= start) & (flights["distance"] < miles)
        flights["delay"] = np.where(hit, np.minimum(flights["delay"] + minutes, 300), flights["delay"])
    return flights


def with_features(flights: pd.DataFrame) -> pd.DataFrame:
    """Mean delay and late share over (t - w, t] of flights that had landed by t."""
    flights = flights.copy()
    flights["late"] = (flights["delay"] > LATE_AFTER).astype(int)
    departed = flights["departed"].to_numpy()
    for airport in ("origin", "destination"):
        columns = {
            (value, window): np.full(len(flights), np.nan)
            for value in ("mean_delay", "late_share")
            for window in WINDOWS
        }
        for rows in flights.groupby(airport).indices.values():
            known = flights.iloc[rows].sort_values(["landed", "flight"])
            landed = known["landed"].to_numpy()
            sums = {
                "mean_delay": np.r_[0, known["delay"].cumsum()],
                "late_share": np.r_[0, known["late"].cumsum()],
            }
            at = departed[rows]
            upper = np.searchsorted(landed, at, side="right")
            for window, length in WINDOWS.items():
                lower = np.searchsorted(landed, at - length, side="right")
                count = np.where(upper > lower, upper - lower, np.nan)
                for value, total in sums.items():
                    columns[value, window][rows] = (total[upper] - total[lower]) / count
        for (value, window), column in columns.items():
            flights[f"{airport}_{value}_{window}"] = column
    return flights
