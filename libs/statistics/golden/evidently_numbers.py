"""Numbers of Evidently 0.7.23 (wants pandas below 3): golden-evidently.json.

    python -m venv VENV && VENV/bin/pip install -r requirements-evidently.txt && VENV/bin/python evidently_numbers.py
"""

import warnings

import pandas as pd
from evidently.legacy.calculations.stattests import (
    anderson_darling_test, chi_stat_test, energy_dist_test, g_test, get_stattest, hellinger_stat_test, jensenshannon_stat_test,
    kl_div_stat_test, ks_stat_test, mann_whitney_u_stat_test, psi_stat_test, t_test, wasserstein_stat_test, z_stat_test,
)  # fmt: skip
from evidently.legacy.core import ColumnType

from portable import normals, uniforms, write

warnings.simplefilter("ignore")


def score(test, reference, current, kind):
    found = get_stattest(pd.Series(reference), pd.Series(current), kind, test.name)
    return found(pd.Series(reference), pd.Series(current), kind, None).drift_score


NUMERIC = {"ks": ks_stat_test, "psi": psi_stat_test, "kullbackLeibler": kl_div_stat_test,
           "jensenShannon": jensenshannon_stat_test, "hellinger": hellinger_stat_test,
           "wasserstein": wasserstein_stat_test, "energy": energy_dist_test, "andersonDarling": anderson_darling_test,
           "mannWhitney": mann_whitney_u_stat_test, "studentsT": t_test}  # fmt: skip
CATEGORICAL = {"chiSquare": chi_stat_test, "g": g_test, "psi": psi_stat_test, "kullbackLeibler": kl_div_stat_test,
               "jensenShannon": jensenshannon_stat_test, "hellinger": hellinger_stat_test}  # fmt: skip

numeric = []
for a, b in (
    [[51, 1500, 0, 1, None], [52, 700, 0.15, 1.1, None]],
    [[53, 800, 20, 5, 1], [54, 900, 26, 5, 1]],
    [[55, 900, 5, 1.2, 0], [56, 400, 5.4, 1.2, 0]],
):
    r, c = [normals(*spec) for spec in (a, b)]
    numeric.append({"a": a, "b": b, **{k: score(t, r, c, ColumnType.Numerical) for k, t in NUMERIC.items()}})


def categories(seed, count, shares):
    return [next((i for i, edge in enumerate(shares) if u < edge), len(shares)) for u in uniforms(seed, count)]


categorical = []
for a, b in (
    [[61, 1500, [0.5, 0.8, 0.95]], [62, 900, [0.45, 0.7, 0.93]]],
    [[63, 300, [0.3, 0.6, 0.9, 0.99]], [64, 300, [0.32, 0.6, 0.9, 0.985]]],
):
    r, c = categories(*a), categories(*b)
    # Its g_test does not scale the reference to the current size, so scipy refuses sides of different sizes.
    possible = {k: t for k, t in CATEGORICAL.items() if k != "g" or len(r) == len(c)}
    categorical.append({"a": a, "b": b, **{k: score(t, r, c, ColumnType.Categorical) for k, t in possible.items()}})
two = [[65, 400, [0.5]], [66, 500, [0.56]]]
z = score(z_stat_test, categories(*two[0]), categories(*two[1]), ColumnType.Categorical)
write("evidently", {"numeric": numeric, "categorical": categorical, "z": {"a": two[0], "b": two[1], "pValue": z}})
