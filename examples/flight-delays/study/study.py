"""Can the flight-delays example carry the closed loop? (docs/adr/0010-flight-delays-study.md)

    python ../prepare.py --source node_modules/vega-datasets/data --out DIR
    python study.py DIR [auc|natural|windows|loop|robust|control|golden] ...

Simulated time only: a retraining that takes d days of event time starts its canary d days later.
"""

import argparse
import json
import math
from itertools import product
from pathlib import Path

import lightgbm as lgb
import method
import numpy as np
import pandas as pd
from flights import DAY, FEATURES, HOUR, load, shift, with_features

PARAMS = {"n_estimators": 100, "num_leaves": 15, "learning_rate": 0.1, "min_child_samples": 50}
VALIDATION = 0.2
WINDOW, K, N, MINIMUM = DAY, 2, 3, 1000
PSI_AT, BRIER_AT = 0.25, 1.5
BLOCK, BLOCK_PAIRS, ALPHA, TAU = HOUR, 100, 0.05, 1.0
PROMOTE_LABELS, PROMOTE_AFTER, ROLLBACK_LABELS = 1000, DAY, 300
REPLAY_START = pd.Timestamp("2001-02-05T16:24:12Z").value // 10**6
SHIFT_START = pd.Timestamp("2001-02-06T00:00:00Z").value // 10**6


def stamp(millis: float) -> str:
    return pd.Timestamp(int(millis), unit="ms").strftime("%m-%d %H:%M")


def fit(rows, labels=None, seed=0, features=FEATURES, params=PARAMS):
    """Seed 0 is the plan as it is; another seed draws the rows again with replacement."""
    y = rows["late"].to_numpy() if labels is None else labels
    take = np.arange(len(rows))
    if seed:
        take = np.sort(np.random.default_rng(seed).integers(0, len(rows), len(rows)))
    model = lgb.LGBMClassifier(
        **params, random_state=7, n_jobs=1, verbose=-1, deterministic=True, force_row_wise=True
    )
    model.fit(rows[features].iloc[take], y[take])
    return lambda x: model.predict_proba(x[features])[:, 1]


def known(flights, at, days=None):
    rows = flights[flights["landed"] <= at]
    return rows if days is None else rows[rows["departed"] > at - days * DAY]


def plan(flights, at, days=None, seed=0, shuffle=False):
    """Backtest on the last part of time, then the same parameters on everything known."""
    rows = known(flights, at, days)
    first = rows["departed"].min()
    cut = first + (1 - VALIDATION) * (at - first)
    past, validation = rows[rows["landed"] <= cut], rows[rows["departed"] > cut]

    def labels(part):
        return np.random.default_rng(100 + seed).permutation(part["late"].to_numpy()) if shuffle else None

    backtest = fit(past, labels(past), seed)(validation)
    reference = validation.assign(p=backtest)
    return fit(rows, labels(rows), seed), reference


def windows(flights, model, reference, start):
    live = flights[flights["departed"] > start]
    live = live.assign(p=model(live))
    names = FEATURES + ["p"]
    edges = {c: method.psi_edges(reference[c].to_numpy(float)) for c in names}
    shares = {c: method.psi_shares(reference[c].to_numpy(float), edges[c]) for c in names}
    base = method.performance(reference["late"].to_numpy(), reference["p"].to_numpy())
    out = []
    for k in range(int(start // WINDOW), int(live["departed"].max() // WINDOW)):
        asked, labelled = live[live["departed"] // WINDOW == k], live[live["landed"] // WINDOW == k]
        if len(asked) < MINIMUM or len(labelled) < MINIMUM:
            continue
        row = {"end": (k + 1) * WINDOW, "n": len(asked)}
        for c in names:
            row["psi " + c] = method.psi(shares[c], method.psi_shares(asked[c].to_numpy(float), edges[c]))
        row["ks p"] = method.ks(reference["p"].to_numpy(), asked["p"].to_numpy())
        now = method.performance(labelled["late"].to_numpy(), labelled["p"].to_numpy())
        row |= {"late": labelled["late"].mean(), "brier": now["brier"], "auc": now["auc"],
                "calibration": now["calibration"], "brier ratio": now["brier"] / base["brier"]}
        out.append(row)
    return pd.DataFrame(out)


def alarm(crossed):
    """Index of the window at which k of the last n windows are crossed, else None."""
    for i in range(len(crossed)):
        if sum(crossed[max(0, i - N + 1) : i + 1]) >= K:
            return i
    return None


def held(crossed):
    return [sum(crossed[max(0, i - N + 1) : i + 1]) >= K for i in range(len(crossed))]


def detections(table):
    drift = held(list(table["psi p"] >= PSI_AT))
    worse = held(list(table["brier ratio"] >= BRIER_AT))
    both = [a and b for a, b in zip(drift, worse, strict=True)]

    def first(flags):
        return int(table["end"].iloc[flags.index(True)]) if True in flags else None

    return first(drift), first(worse), first(both)


def canary(flights, champion, candidate, start, until=None, centred=False):
    """(decision, event time, labels, blocks, mean, low, high). Centred: the true difference is taken
    away, what is left is how the blocks scatter and cohere, so any decision is a false one."""
    pairs = flights[flights["departed"] > start].sort_values(["landed", "flight"])
    late = pairs["late"].to_numpy()
    difference = (champion(pairs) - late) ** 2 - (candidate(pairs) - late) ** 2
    if centred:
        difference = difference - difference.mean()
    values, labels = [], 0
    mean = low = high = math.nan
    for block in method.blocks(pairs["landed"].to_numpy(), difference, BLOCK, BLOCK_PAIRS):
        values.append(block["mean"])
        labels += block["n"]
        if until and block["end"] > until:
            break
        mean, low, high = method.confidence_sequence(values, ALPHA, TAU)
        if high < 0 and labels >= ROLLBACK_LABELS:
            return "rollback", block["end"], labels, len(values), mean, low, high
        if low > 0 and labels >= PROMOTE_LABELS and block["end"] - start >= PROMOTE_AFTER:
            return "promote", block["end"], labels, len(values), mean, low, high
    return "undecided", None, labels, len(values), mean, low, high


def auc_table(flights):
    train, later = known(flights, REPLAY_START), flights[flights["departed"] > REPLAY_START]
    for name, features in {
        "distance": ["distance"],
        "distance, local hour": ["distance", "local_hour"],
        "distance, local hour, weekday": ["distance", "local_hour", "weekday"],
        "aggregates, distance": [f for f in FEATURES if f != "local_hour"],
        "aggregates, distance, local hour": FEATURES,
        "aggregates, distance, local hour, weekday": [*FEATURES, "weekday"],
    }.items():
        p = fit(train, features=features)(later)
        r = method.performance(later["late"].to_numpy(), p)
        print(f"{name:45s} AUC {r['auc']:.3f}  Brier {r['brier']:.4f}  calibration {r['calibration']:+.3f}")


def natural(flights):
    """Does retraining pay without any injected change?"""
    initial, _ = plan(flights, REPLAY_START)
    for days in (None, 21, 14, 7):
        for detected in (2.3, 3.3, 4.3, 5.3):
            at = REPLAY_START + detected * DAY
            new = fit(known(flights, at, days))
            result = canary(flights, initial, new, at + 4.5 * DAY)
            print(f"window {days or 'all'} detected +{detected} d: {result[0]} labels {result[2]} "
                  f"mean {result[4]:+.4f} [{result[5]:+.4f}, {result[6]:+.4f}]")


def show_windows(natural_flights, shifted):
    for name, flights in (("natural", natural_flights), ("injected", shifted)):
        model, reference = plan(flights, REPLAY_START)
        table = windows(flights, model, reference, REPLAY_START)
        print(name, "drift, worse, both:", [d and stamp(d) for d in detections(table)],
              "reference", method.performance(reference["late"].to_numpy(), reference["p"].to_numpy()))
        table["end"] = table["end"].map(stamp)
        keep = ["end", "n", "psi p", "ks p", "psi origin_mean_delay_3h", "psi origin_mean_delay_24h",
                "psi distance", "late", "brier", "brier ratio", "auc", "calibration"]
        print(table[keep].round(3).to_string(index=False))


def run(flights, start, delays1, delays2, days=None, seed=0, verbose=False):
    """The whole loop, for each pair of retraining delays (days of event time)."""
    end = int(flights["landed"].max())
    initial, reference = plan(flights, start, days, seed)
    drift, worse, detected = detections(windows(flights, initial, reference, start))
    if detected is None:
        return [{"result": "not detected"}]
    retrained, check = plan(flights, detected, days, seed + 1 if seed else 0)
    if verbose:
        later = flights[flights["departed"] > detected + 12 * DAY]
        _, spoilt = plan(flights, detected, days, seed, shuffle=True)
        for name, ref in (("initial", reference), ("retrained", check), ("shuffled", spoilt)):
            r = method.performance(ref["late"].to_numpy(), ref["p"].to_numpy())
            print("gate, backtest", name, {k: round(v, 4) for k, v in r.items()})
        bad = fit(known(flights, detected), np.random.default_rng(1).permutation(known(flights, detected)["late"].to_numpy()))
        for name, m in (("initial", initial), ("retrained", retrained), ("bad", bad)):
            print("later traffic", name, method.performance(later["late"].to_numpy(), m(later)))
    out = []
    for d1 in delays1:
        begin = detected + d1 * DAY
        first = canary(flights, initial, retrained, begin)
        for d2 in delays2:
            row = {"detected": (detected - start) / DAY, "d1": d1, "d2": d2, "first": first[0],
                   "labels1": first[2], "blocks1": first[3], "low1": first[5]}
            if first[0] == "promote":
                promoted = first[1]
                row["hours1"] = (promoted - begin) / HOUR
                rows = known(flights, promoted, days)
                shuffled = np.random.default_rng(seed + 1).permutation(rows["late"].to_numpy())
                second = canary(flights, retrained, fit(rows, shuffled, seed), promoted + d2 * DAY)
                row |= {"second": second[0], "labels2": second[2], "blocks2": second[3], "high2": second[6]}
                if second[1]:
                    row["hours2"] = (second[1] - promoted) / HOUR - d2 * 24
                    row["spare"] = (end - second[1]) / DAY
            row["result"] = "promote, roll back" if (row["first"], row.get("second")) == ("promote", "rollback") else "other"
            out.append(row)
            if verbose:
                print({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()})
    return out


def robust(base):
    rows = []
    delays = (2.0, 3.3, 4.5, 5.8, 7.0)
    for minutes, days in ((30, None),):
        for offset, seed in product((-4, -2, -1, 0, 1, 2), (0, 1, 2)):
            flights = with_features(shift(base, SHIFT_START + offset * DAY, minutes=minutes))
            for row in run(flights, REPLAY_START + offset * DAY, delays, (2.0, 4.5, 7.0), days, seed):
                rows.append({"minutes": minutes, "days": days or 0, "offset": offset, "seed": seed} | row)
        t = pd.DataFrame(rows)
        t = t[(t["minutes"] == minutes) & (t["days"] == (days or 0))]
        print(minutes, days, "runs", len(t), t["result"].value_counts().to_dict(),
              t[["detected", "labels1", "hours1", "labels2", "hours2", "spare"]].agg(["min", "median", "max"]).round(2).to_string(),
              sep="\n", flush=True)
        print(t[t["result"] != "promote, roll back"].head(12).to_string())


def stationary(base, kind, seed):
    """59 days from the days before the replay: `rows` deals single flights, `days` whole days."""
    rng = np.random.default_rng(seed)
    pool = base[base["landed"] <= REPLAY_START]
    day = (pool["departed"] - 8 * HOUR) // DAY  # 08:00 UTC: night everywhere
    choice = np.sort(day.unique())[:-1]
    pool = pool[day.isin(choice)]
    first = int(choice[0])
    if kind == "rows":
        flights = pool.iloc[rng.integers(0, len(pool), 1430 * 59)]
        to = first + rng.integers(0, 59, len(flights))
        move = (to - ((flights["departed"] - 8 * HOUR) // DAY).to_numpy()) * DAY
        flights = flights.assign(departed=flights["departed"] + move, landed=flights["landed"] + move)
    else:
        groups = dict(iter(pool.groupby((pool["departed"] - 8 * HOUR) // DAY)))
        flights = pd.concat(
            [
                groups[d].assign(departed=groups[d]["departed"] + (first + i - d) * DAY,
                                 landed=groups[d]["landed"] + (first + i - d) * DAY)
                for i, d in enumerate(rng.choice(choice, 59))
            ]
        )
    flights = flights.assign(flight=np.arange(len(flights)))
    return with_features(flights.sort_values(["departed", "flight"]).reset_index(drop=True))


def control(base, seeds):
    for kind in ("rows", "days"):
        found, ratio, p, aa = [], [], [], []
        for seed in range(seeds):
            flights = stationary(base, kind, seed)
            model, reference = plan(flights, REPLAY_START)
            table = windows(flights, model, reference, REPLAY_START)
            found.append(detections(table))

            def second(c):
                return max(sorted(c[i : i + N])[-K] for i in range(len(c) - N + 1))

            ratio.append(second(list(table["brier ratio"])))
            p.append(second(list(table["psi p"])))
            # Two versions, their true difference taken away: how often is either called better?
            rows = known(flights, REPLAY_START)
            for s in (1, 2):
                aa.append(canary(flights, fit(rows, seed=10 * s), fit(rows, seed=10 * s + 1),
                                 REPLAY_START + s * 4 * DAY, REPLAY_START + (s * 4 + 10) * DAY, centred=True)[0])
        print(kind, "seeds", seeds, "drift / worse / both:",
              [sum(f[i] is not None for f in found) for i in range(3)],
              f"2-of-3 brier ratio max {max(ratio):.3f}, psi p median {np.median(p):.3f} max {max(p):.3f}",
              "equal pairs:", pd.Series(aa).value_counts().to_dict(), flush=True)


def golden(folder):
    rng = np.random.default_rng(20010205)
    reference = np.round(rng.gamma(2.0, 5.0, 300), 3)
    current = np.round(rng.gamma(2.5, 5.5, 120), 3)
    reference[::37] = np.nan
    p = np.round(rng.uniform(0.02, 0.98, 60), 2)
    label = (rng.uniform(size=60) < p).astype(int)
    edges = method.psi_edges(reference)
    r, c = method.psi_shares(reference, edges), method.psi_shares(current, edges)
    far = method.psi_shares(current + 100, edges)
    times = np.sort(rng.integers(REPLAY_START, REPLAY_START + 12 * HOUR, 80))
    differences = np.round(rng.normal(0.05, 0.2, 80), 4)
    blocks = method.blocks(times, differences, HOUR, 8)
    means = [b["mean"] for b in blocks]

    def sequence(values, alpha=ALPHA, tau=TAU):
        mean, low, high = method.confidence_sequence(values, alpha, tau)
        finite = math.isfinite(low)
        return {"values": values, "alpha": alpha, "tau": tau, "mean": mean,
                "low": low if finite else None, "high": high if finite else None}

    def missing(values):
        return [None if math.isnan(v) else v for v in values.tolist()]

    fifteen = np.round(rng.normal(0.08, 0.04, 15), 5).tolist()
    data = {
        "psi": {"reference": missing(reference), "current": current.tolist(), "edges": edges.tolist(),
                "referenceShares": r.tolist(), "currentShares": c.tolist(), "psi": method.psi(r, c),
                "currentPlus100Psi": method.psi(r, far)},
        "ks": {"referenceAndCurrent": "as in psi", "ks": method.ks(reference, current)},
        "performance": {"label": label.tolist(), "p": p.tolist(), **method.performance(label, p)},
        "blocks": {"times": times.tolist(), "differences": differences.tolist(), "lengthMillis": HOUR,
                   "minimumPairs": 8, "blocks": blocks},
        "confidenceSequence": [sequence(means), sequence(fifteen), sequence(fifteen[:2]),
                               sequence(fifteen[:4]), sequence(fifteen[:5]), sequence(fifteen[:8], 0.01),
                               sequence(fifteen, 0.05, 0.5), sequence([-v for v in fifteen])],
    }
    (folder / "golden.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="what prepare.py wrote")
    parser.add_argument("parts", nargs="+")
    parser.add_argument("--seeds", type=int, default=50)
    arguments = parser.parse_args()
    base = load(arguments.folder)
    flights, shifted = with_features(base), with_features(shift(base, SHIFT_START))
    for part in arguments.parts:
        print("##", part, flush=True)
        if part == "auc":
            auc_table(flights)
        elif part == "natural":
            natural(flights)
        elif part == "windows":
            show_windows(flights, shifted)
        elif part == "loop":
            run(shifted, REPLAY_START, (3.3, 4.5, 5.8), (3.3, 5.8), verbose=True)
        elif part == "robust":
            robust(base)
        elif part == "control":
            control(base, arguments.seeds)
        elif part == "golden":
            golden(Path(__file__).parent)
        else:
            parser.error(f"no part {part}")


if __name__ == "__main__":
    main()
