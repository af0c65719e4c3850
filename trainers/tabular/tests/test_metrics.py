# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from headrace_tabular.metrics import auc, difference_blocked_by_time, measures, r2, share

HOUR = 3_600_000_000


def test_auc_and_its_interval_equal_delongs_formula_worked_by_hand():
    # Placements of the positives 3, 4, 2 among the negatives 1, 2.5, 0: 1, 1, 2/3; of the negatives: 1, 2/3, 1.
    # AUC = 8/9; both sample variances are 1/27, so the variance is 2 * (1/27) / 3.
    label, score = np.array([1, 1, 1, 0, 0, 0.0]), np.array([3, 4, 2, 1, 2.5, 0])
    interval = auc(label, score)
    half = 1.959963984540054 * np.sqrt(2 / 81)
    assert interval["value"] == pytest.approx(8 / 9, abs=1e-12)
    assert interval["low"] == pytest.approx(8 / 9 - half, abs=1e-12)
    assert interval["high"] == 1.0


def test_auc_counts_ties_as_one_half():
    assert auc(np.array([1, 0, 1, 0.0]), np.full(4, 0.3))["value"] == 0.5


def test_delongs_interval_equals_the_definition_over_all_pairs():
    random = np.random.default_rng(5)
    label = (random.random(300) < 0.4).astype(float)
    score = np.round(label + random.normal(size=300), 1)
    x, y = score[label == 1][:, None], score[label == 0][None, :]
    wins = (x > y) + 0.5 * (x == y)
    error = np.sqrt(wins.mean(axis=1).var(ddof=1) / len(x) + wins.mean(axis=0).var(ddof=1) / y.size)
    interval = auc(label, score)
    assert interval["value"] == pytest.approx(wins.mean(), abs=1e-12)
    assert (interval["high"] - interval["low"]) / 2 == pytest.approx(1.959963984540054 * error, abs=1e-12)


def test_the_measures_equal_those_of_scikit_learn():
    from sklearn import metrics

    random = np.random.default_rng(2)
    label, score = (random.random(500) < 0.3).astype(float), random.random(500)
    binary = {name: entry["value"] for name, entry in measures("binary", label, score).items()}
    assert binary == pytest.approx({
        "auc": metrics.roc_auc_score(label, score),
        "log_loss": metrics.log_loss(label, score),
        "brier": metrics.brier_score_loss(label, score),
        "accuracy": metrics.accuracy_score(label, score > 0.5),
    })  # fmt: skip
    regression = {name: entry["value"] for name, entry in measures("regression", label, score).items()}
    assert regression == pytest.approx({
        "mae": metrics.mean_absolute_error(label, score),
        "rmse": metrics.root_mean_squared_error(label, score),
        "r2": metrics.r2_score(label, score),
    })  # fmt: skip


def test_a_certain_and_wrong_score_keeps_the_log_loss_finite():
    assert np.isfinite(measures("binary", np.array([0, 0, 1, 1.0]), np.array([1, 0, 0, 1.0]))["log_loss"]["value"])


def test_the_interval_of_a_share_is_wilsons():
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I: 81 of 263 and 20 of 20 by the score method.
    low_high = share(np.arange(263) < 81)
    assert (round(low_high["low"], 4), round(low_high["high"], 4)) == (0.2553, 0.3662)
    assert round(share(np.ones(20, bool))["low"], 4) == 0.8389


@pytest.mark.parametrize("measure", ["auc", "r2"])
def test_95_percent_intervals_cover_about_95_percent(measure):
    random = np.random.default_rng(11)
    covered = 0
    for _ in range(400):
        label = random.normal(size=400)
        score = label + random.normal(size=400)
        if measure == "r2":
            interval, truth = r2(label, score), 0.0
        else:
            positive = (np.arange(400) % 2).astype(float)
            # Two normals one standard deviation apart: AUC = Phi(1 / sqrt 2).
            interval, truth = auc(positive, positive + random.normal(size=400)), 0.7602499389065233
        covered += interval["low"] <= truth <= interval["high"]
    assert 0.92 <= covered / 400 <= 0.98


def test_the_difference_is_positive_when_the_candidate_is_better():
    time = np.arange(5000) * 60_000_000
    random = np.random.default_rng(1)
    difference = difference_blocked_by_time(random.random(5000) + 0.1, random.random(5000), time)
    assert difference["value"] == pytest.approx(0.1, abs=0.02)
    assert 0 < difference["low"] < difference["value"] < difference["high"]
    assert (difference["block"], difference["blocks"]) == ("hour", 84)


def test_likeness_within_an_hour_widens_the_interval():
    random = np.random.default_rng(4)
    time = np.arange(6000) * 60_000_000
    hourly = random.normal(size=100)[time // HOUR]
    alone = random.normal(size=6000)
    zero = np.zeros(6000)
    width = [d["high"] - d["low"] for d in (difference_blocked_by_time(x, zero, time) for x in (hourly, alone))]
    assert width[0] > 4 * width[1]


@pytest.mark.parametrize(("rows", "step", "block"), [(1000, 2 * HOUR, "day"), (40, 60_000_000, "rows"), (10, 1, "rows")])
def test_blocks_follow_the_length_of_the_validation_part(rows, step, block):
    difference = difference_blocked_by_time(np.random.default_rng(1).random(rows), np.zeros(rows), np.arange(rows) * step)
    assert difference["block"] == block
    assert difference["low"] < difference["value"] < difference["high"]
