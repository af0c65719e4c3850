# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from conftest import make_columns
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from headrace_tabular import reconstruction


def following(rows: int, seed: int) -> np.ndarray:
    """Of six features the last follows the first, a flag the third, and one is a constant; of two some values are missing."""
    random = np.random.default_rng(seed)
    a, b, c = random.normal(size=(3, rows)) * [[1], [100], [0.01]] + [[0], [5_000], [1]]
    flag = (c > 0.995).astype(np.float64)
    features = np.column_stack([a, b, c, flag, np.full(rows, 0.1), 3 * a + 0.001 * b + random.normal(size=rows) / 10])
    features[random.random(rows) < 0.1, 1] = np.nan
    features[random.random(rows) < 0.1, 3] = np.nan
    return features.astype(np.float32)


FLAGS = np.array([False, False, False, True, False, False])


def of_scikit_learn(reference: np.ndarray, rows: np.ndarray) -> tuple[int, np.ndarray]:
    """Errors by scikit-learn's own imputers, scaler and PCA, as NannyML puts them together."""
    parts = {False: SimpleImputer(strategy="mean"), True: SimpleImputer(strategy="most_frequent")}
    for boolean, imputer in parts.items():
        imputer.fit(reference[:, boolean == FLAGS].astype(np.float64))

    def filled(values: np.ndarray) -> np.ndarray:
        values = values.astype(np.float64)
        for boolean, imputer in parts.items():
            values[:, boolean == FLAGS] = imputer.transform(values[:, boolean == FLAGS])
        return values

    scaler = StandardScaler().fit(filled(reference))
    pca = PCA(n_components=0.65, svd_solver="full").fit(scaler.transform(filled(reference)))
    scaled = scaler.transform(filled(rows))
    return pca.n_components_, np.linalg.norm(scaled - pca.inverse_transform(pca.transform(scaled)), axis=1)


@pytest.mark.parametrize("rows", [500, 120_000])
def test_errors_are_those_of_scikit_learn(rows):
    reference, window = following(rows, 1), following(300, 2)
    window[:50, 5] = -window[:50, 5]
    fitted = reconstruction.fit(reference, FLAGS)
    kept, expected = of_scikit_learn(reference, window)
    assert len(fitted.components) == kept
    np.testing.assert_allclose(fitted.errors(window), expected, rtol=1e-9, atol=0)
    np.testing.assert_allclose(fitted.components @ fitted.components.T, np.eye(kept), atol=1e-12)


def test_features_that_have_nothing_to_do_with_each_other_leave_one_direction_to_err_in():
    features = np.random.default_rng(3).normal(size=(1_000, 2)).astype(np.float32)
    fitted = reconstruction.fit(features, np.array([False, False]))
    assert len(fitted.components) == 1
    assert fitted.errors(features).mean() > 0.5


def test_profile_says_how_the_training_part_is_reconstructed(trainer):
    outcome = trainer.run(trainer.spec())
    profile = outcome.profile
    found = profile["reconstruction"]
    assert (found["part"], found["features"]) == ("training", ["speed", "load", "noise", "flag"])
    assert found["imputed"][3] == 0  # three of ten flags stand
    assert 0.65 < found["explained"] < 1
    assert len(found["components"]) == 3  # nothing goes together: each explains a quarter

    columns = make_columns()
    load = np.array([np.nan if value is None else value for value in columns["load"].to_pylist()])
    rows = np.column_stack([columns["speed"], load, columns["noise"], columns["flag"]])[:2_100].astype(np.float32)
    rows = np.where(np.isnan(rows), found["imputed"], rows.astype(np.float64))
    scaled = (rows - found["means"]) / found["deviations"]
    components = np.array(found["components"])
    errors = np.linalg.norm(scaled - scaled @ components.T @ components, axis=1)
    windows = profile["windows"]["training"]
    assert len(found["window_errors"]) == len(windows["starts"])
    assert sum(found["window_errors"]) == pytest.approx(errors.sum(), rel=1e-12)
    first = windows["rows"][0]
    assert found["window_errors"][0] == pytest.approx(errors[:first].sum(), rel=1e-12)


def test_is_not_there_for_few_rows_or_one_feature(trainer):
    assert trainer.run(trainer.spec(make_columns(200))).profile["reconstruction"] is None
    columns = make_columns() | {"load": np.zeros(3_000), "noise": np.ones(3_000), "flag": np.zeros(3_000, dtype=bool)}
    assert trainer.run(trainer.spec(columns)).profile["reconstruction"] is None

