"""Turns the flights of vega-datasets into two streams in time order.

    python prepare.py --source node_modules/vega-datasets/data --out DIR [--full]

Without --full: the flights of January and February 2001 between the ten busiest origins and the
ten busiest destinations. With it: all three million flights of the first half of 2001.

Origin of the data: Bureau of Transportation Statistics, United States Department of
Transportation; redistributed by the npm package vega-datasets, which lists its licence as
"other-open".

What the columns of the source mean: `date` is the moment the flight really departed, in local
time of its origin; `delay` is the delay of its ARRIVAL in minutes. There is no schedule and there
are no cancelled flights. So the honest question is asked at departure: will this flight arrive
more than 15 minutes late? The answer becomes known when it has landed, taken here as
35 minutes + distance / 8 miles a minute after departure.
"""

import argparse
import hashlib
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

FLIGHTS = "flights-3m.parquet"
AIRPORTS = "airports.csv"
CLIP = (-60, 300)  # minutes
LATE_AFTER_MINUTES = 15
TAXI_AND_CLIMB_MINUTES = 35
MILES_A_MINUTE = 8
TRAIN_SHARE_OF_TIME = 0.6
# The change that a publisher may inject (docs/adr/0010-flight-delays-study.md): a new timetable cuts
# 30 minutes from short routes, so flights that fly as before arrive later against it.
SHIFT = {"fromLanded": "2001-02-06T00:00:00.000Z", "shorterThanMiles": 800, "minutes": 30}

ZONE_OF_STATE = {
    zone: states.split()
    for zone, states in {
        "America/New_York": "CT DC DE FL GA KY MA MD ME NC NH NJ NY OH PA RI SC VA VT WV",
        "America/Detroit": "MI",
        "America/Indiana/Indianapolis": "IN",
        "America/Chicago": "AL AR IA IL KS LA MN MO MS ND NE OK TN TX WI SD",
        "America/Denver": "CO ID MT NM UT WY",
        "America/Phoenix": "AZ",
        "America/Los_Angeles": "CA NV OR WA",
        "America/Anchorage": "AK",
        "Pacific/Honolulu": "HI",
        "America/Puerto_Rico": "PR VI",
    }.items()
}
# States that have two zones: the airports in the smaller part.
ZONE_OF_AIRPORT = {
    "ADK": "America/Adak",
    "CHA": "America/New_York",
    "ELP": "America/Denver",
    "EVV": "America/Chicago",
    "LWS": "America/Los_Angeles",
    "MQT": "America/Detroit",  # the source gives no state
    "PFN": "America/Chicago",
    "PNS": "America/Chicago",
    "RAP": "America/Denver",
    "TRI": "America/New_York",
    "TYS": "America/New_York",
    "VPS": "America/Chicago",
}


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_flights(source: Path, full: bool) -> pd.DataFrame:
    if full:
        table = pq.read_table(source / FLIGHTS)
    else:
        until = pa.scalar(pd.Timestamp("2001-03-01"), pa.timestamp("us"))
        table = pq.read_table(source / FLIGHTS, filters=[("date", "<", until)])
    # The source is sorted by date, so rows before March keep their row number.
    flights = table.to_pandas()
    flights["flight"] = np.arange(len(flights))
    if not full:
        busiest = {
            column: flights[column].value_counts().index[:10] for column in ("origin", "destination")
        }
        for column, airports in busiest.items():
            flights = flights[flights[column].isin(airports)]
    return flights.reset_index(drop=True)


def add_times(flights: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    zone_of = {state: zone for zone, states in ZONE_OF_STATE.items() for state in states}
    state_of = dict(zip(airports["iata"], airports["state"], strict=True))
    zones = flights["origin"].map(
        {
            airport: ZONE_OF_AIRPORT.get(airport) or zone_of[state_of[airport]]
            for airport in flights["origin"].unique()
        }
    )
    local = flights["date"].astype("datetime64[ms]")
    utc = np.empty(len(flights), dtype="datetime64[ms]")
    for zone, rows in flights.groupby(zones).indices.items():
        utc[rows] = (
            local.iloc[rows]
            .dt.tz_localize(zone, nonexistent="shift_forward", ambiguous=True)
            .dt.tz_convert("UTC")
            .dt.tz_localize(None)
            .to_numpy()
        )
    # distance / 8 minutes is a whole number of half seconds: exact in milliseconds.
    airborne = flights["distance"].to_numpy() * (60_000 // MILES_A_MINUTE)
    flights["departed"] = utc
    flights["landed"] = utc + (airborne + TAXI_AND_CLIMB_MINUTES * 60_000).astype("timedelta64[ms]")
    flights["local_hour"] = np.round((local.dt.hour * 60 + local.dt.minute) / 60, 4)
    flights["weekday"] = local.dt.weekday  # Monday is 0
    flights["delay"] = flights["delay"].clip(*CLIP)
    return flights


def iso(times: pd.Series) -> list[str]:
    return np.datetime_as_string(times.to_numpy().astype("datetime64[ms]"), unit="ms").tolist()


def write(path: Path, columns: dict[str, list], template: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join([template % row for row in zip(*columns.values(), strict=True)]))
        file.write("\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--source", type=Path, required=True, help="folder of vega-datasets' files")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--full", action="store_true", help="all flights of six months")
    arguments = parser.parse_args()
    for name in (FLIGHTS, AIRPORTS):
        if not (arguments.source / name).is_file():
            parser.error(f"{arguments.source / name} is missing: install vega-datasets 3.2.1")
    arguments.out.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()

    airports = pd.read_csv(arguments.source / AIRPORTS, usecols=["iata", "state"])
    flights = add_times(read_flights(arguments.source, arguments.full), airports)
    first, last = flights["departed"].min(), flights["departed"].max()
    replay_start = (first + TRAIN_SHARE_OF_TIME * (last - first)).floor("ms")
    late = flights["delay"] > LATE_AFTER_MINUTES
    replayed = flights["departed"] > replay_start

    departures = flights.sort_values(["departed", "flight"])
    write(
        arguments.out / "departures.ndjson",
        {
            "flight": departures["flight"].tolist(),
            "date": iso(departures["departed"]),
            "origin": departures["origin"].tolist(),
            "destination": departures["destination"].tolist(),
            "distance": departures["distance"].tolist(),
            "local_hour": departures["local_hour"].tolist(),
            "weekday": departures["weekday"].tolist(),
        },
        '{"flight":"%d","date":"%sZ","origin":"%s","destination":"%s","distance":%d,'
        '"local_hour":%g,"weekday":%d}',
    )
    arrivals = flights.sort_values(["landed", "flight"])
    write(
        arguments.out / "arrivals.ndjson",
        {
            "flight": arrivals["flight"].tolist(),
            "landed": iso(arrivals["landed"]),
            "origin": arrivals["origin"].tolist(),
            "destination": arrivals["destination"].tolist(),
            "distance": arrivals["distance"].tolist(),
            "delay": arrivals["delay"].tolist(),
        },
        '{"flight":"%d","landed":"%sZ","origin":"%s","destination":"%s","distance":%d,"delay":%d}',
    )
    meta = {
        "name": "flight-delays",
        "full": arguments.full,
        "flights": len(flights),
        "airports": sorted(set(flights["origin"]) | set(flights["destination"])),
        "firstDeparture": iso(pd.Series([first]))[0] + "Z",
        "lastDeparture": iso(pd.Series([last]))[0] + "Z",
        "firstLanding": iso(pd.Series([flights["landed"].min()]))[0] + "Z",
        "lastLanding": iso(pd.Series([flights["landed"].max()]))[0] + "Z",
        "replayStart": iso(pd.Series([replay_start]))[0] + "Z",
        "flightsLandedAtReplayStart": int((flights["landed"] <= replay_start).sum()),
        "flightsDepartedAtReplayStart": int((~replayed).sum()),
        "flightsReplayed": int(replayed.sum()),
        "lateAfterMinutes": LATE_AFTER_MINUTES,
        "lateShareBeforeReplay": round(float(late[~replayed].mean()), 4),
        "lateShareReplayed": round(float(late[replayed].mean()), 4),
        "delayClippedTo": list(CLIP),
        "landing": "departure + 35 min + distance / 8 min",
        "shift": SHIFT,
        "origin": "Bureau of Transportation Statistics, United States Department of "
        "Transportation; redistributed by the npm package vega-datasets 3.2.1",
        "licence": "other-open (as listed by vega-datasets)",
        "sourceSha256": {
            name: digest(arguments.source / name) for name in (FLIGHTS, AIRPORTS)
        },
    }
    (arguments.out / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    print(
        f"{len(flights)} flights written to {arguments.out} "
        f"in {time.perf_counter() - started:.1f} s; replay starts {meta['replayStart']}"
    )


if __name__ == "__main__":
    main()
