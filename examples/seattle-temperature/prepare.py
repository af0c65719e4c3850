"""Turns Seattle's daily weather (2012 to 2015) into two streams in time order.

    python prepare.py --source node_modules/vega-datasets/data --out DIR

Origin of the data: National Oceanic and Atmospheric Administration, United States Department of
Commerce; redistributed by the npm package vega-datasets.

The question at the end of each day: what will tomorrow's maximum temperature be? A day's
observations are known when the day ends (midnight in Seattle), the outcome one day later.
"""

import argparse
import hashlib
import json
from pathlib import Path

import pandas as pd

WEATHER = "seattle-weather.csv"
STATION = "seattle"
TRAIN_SHARE_OF_TIME = 0.6


def iso(time: pd.Timestamp) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def write(path: Path, rows: list[dict]) -> None:
    lines = [json.dumps(row, separators=(",", ":")) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--source", type=Path, required=True, help="folder of vega-datasets' files")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    arguments = parser.parse_args()
    source = arguments.source / WEATHER
    if not source.is_file():
        parser.error(f"{source} is missing: install vega-datasets 3.2.1")
    arguments.out.mkdir(parents=True, exist_ok=True)

    weather = pd.read_csv(source, parse_dates=["date"]).sort_values("date").reset_index(drop=True)
    days = weather["date"]
    ends = (days + pd.Timedelta(days=1)).dt.tz_localize("America/Los_Angeles").dt.tz_convert("UTC")
    names = [day.strftime("%Y-%m-%d") for day in days]
    write(
        arguments.out / "weather-days.ndjson",
        [
            {
                "day": names[i],
                "observed": iso(ends[i]),
                "station": STATION,
                "day_of_year": int(row.date.dayofyear),
                "precipitation": row.precipitation,
                "temp_max": row.temp_max,
                "temp_min": row.temp_min,
                "wind": row.wind,
                "weather": row.weather,
            }
            for i, row in enumerate(weather.itertuples())
        ],
    )
    # The last day has no outcome; a day whose successor is missing would have none either.
    outcomes = [
        {
            "day": names[i],
            "observed": iso(ends[i + 1]),
            "station": STATION,
            "next_temp_max": float(weather["temp_max"][i + 1]),
        }
        for i in range(len(weather) - 1)
        if days[i + 1] - days[i] == pd.Timedelta(days=1)
    ]
    write(arguments.out / "weather-outcomes.ndjson", outcomes)
    replay_start = ends[0] + TRAIN_SHARE_OF_TIME * (ends.iloc[-1] - ends[0])
    meta = {
        "name": "seattle-temperature",
        "days": len(weather),
        "outcomes": len(outcomes),
        "firstObserved": iso(ends[0]),
        "lastObserved": iso(ends.iloc[-1]),
        "replayStart": iso(replay_start),
        "daysBeforeReplay": int((ends <= replay_start).sum()),
        "origin": "National Oceanic and Atmospheric Administration, United States Department of "
        "Commerce; redistributed by the npm package vega-datasets 3.2.1",
        "sourceSha256": {WEATHER: hashlib.sha256(source.read_bytes()).hexdigest()},
    }
    (arguments.out / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    print(f"{len(weather)} days and {len(outcomes)} outcomes written to {arguments.out}")


if __name__ == "__main__":
    main()
