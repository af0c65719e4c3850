"""Numbers of SciPy, scikit-learn and statsmodels: golden-numerics.json, golden-tests.json, golden-distances.json.

    python -m venv VENV && VENV/bin/pip install -r requirements-scipy.txt && VENV/bin/python scipy_numbers.py
"""

import warnings

import numpy as np
from scipy import special, stats
from scipy.spatial import distance
from statsmodels.stats.proportion import proportions_ztest

from portable import normals, uniforms, write

warnings.simplefilter("ignore")


def numerics():
    gamma = [
        [a, x, special.gammainc(a, x), special.gammaincc(a, x)]
        for a in (0.01, 0.5, 1, 2.5, 10, 50.5, 300, 5000)
        for x in (a * 0.01, a * 0.5, a * 0.97, a, a * 1.05, a + 1, a * 2, a * 4 + 5)
    ] + [[a, x, special.gammainc(a, x), special.gammaincc(a, x)] for a in (0.5, 1.5, 9.5) for x in (30, 200, 600)]
    beta = [
        [x, a, b, special.betainc(a, b, x)]
        for a, b in ((0.5, 0.5), (1, 3), (2.5, 0.5), (10, 20), (200, 3), (500, 500), (5000, 0.5))
        for x in (1e-6, 0.01, 0.3, 0.5, 0.77, 0.99, 1 - 1e-6)
    ]
    normal = [[z, stats.norm.sf(z), stats.norm.cdf(z)] for z in (-9, -3.2, -1, -1e-9, 0, 0.3, 1.7, 1.75, 5, 12, 30, 37)]
    quantile = [[p, stats.norm.ppf(p)] for p in (1e-300, 1e-20, 1e-9, 0.001, 0.07, 0.3, 0.5, 0.7, 0.925, 0.975, 1 - 1e-12)]
    kolmogorov = [
        [n, d, stats.kstwo.sf(d, n)]
        for n in (1, 2, 5, 10, 30, 100, 140, 141, 500, 2000, 9999, 50000, 200000)
        for d in sorted({f / np.sqrt(n) for f in (0.3, 0.5, 0.8, 0.87, 1.0, 1.36, 1.48, 2, 3, 5, 12)} | {0.7 / n, 1 / n, 0.51})
        if d < 1
    ]
    student = [[t, v, 2 * stats.t.sf(t, v)] for t in (0, 0.5, 2, 8, 40) for v in (1, 3, 12.5, 200, 10000)]
    lgamma = [[x, special.gammaln(x)] for x in (1e-3, 0.3, 0.9, 1.5, 2.5, 7, 33.3, 171, 1e4, 1e7)]
    write(
        "numerics",
        {"gamma": gamma, "beta": beta, "normal": normal, "quantile": quantile, "kolmogorov": kolmogorov,
         "student": student, "logGamma": lgamma},
    )  # fmt: skip


# Samples by their seed, size, mean, deviation and digits (few digits make ties).
PAIRS = [
    [[1, 7, 0, 1, None], [2, 5, 0.4, 1, None]],
    [[1, 8, 0, 1, None], [2, 300, 0.4, 1, None]],
    [[3, 40, 0, 1, None], [4, 40, 0.3, 1, None]],
    [[3, 40, 0, 1, None], [4, 40, 3, 1, None]],
    [[5, 120, 0, 1, 1], [6, 77, 0.2, 1.3, 1]],
    [[7, 500, 0, 1, None], [8, 500, 0.05, 1, None]],
    [[9, 1000, 10, 3, 0], [10, 731, 10.5, 3, 0]],
    [[11, 1000, 0, 1, None], [12, 900, 2, 1, None]],
    [[13, 997, 0, 1, None], [14, 1009, 0, 1.2, 2]],
    [[15, 10007, 0, 1, None], [16, 300, 0.1, 1, None]],
    [[17, 10007, 0, 1, 2], [18, 5000, 0.02, 1, 2]],
    [[19, 3, 0, 1, None], [20, 10007, 1.5, 1, None]],
]


def tests():
    found = []
    for left, right in PAIRS:
        a, b = np.array(normals(*left)), np.array(normals(*right))
        ks = stats.ks_2samp(a, b)
        u = stats.mannwhitneyu(a, b)
        ad = stats.anderson_ksamp([a, b], variant="midrank")
        t = stats.ttest_ind(a, b)
        found.append(
            {"a": left, "b": right, "ks": [ks.statistic, ks.pvalue], "mannWhitney": [u.statistic, u.pvalue],
             "andersonDarling": [ad.statistic, ad.pvalue], "studentsT": [t.statistic, t.pvalue],
             "wasserstein": stats.wasserstein_distance(a, b), "energy": stats.energy_distance(a, b)}
        )  # fmt: skip
    tables = []
    for a, b in (
        ([10, 20, 30], [12, 25, 10]),
        ([5, 0, 3, 90], [0, 4, 3, 95]),
        ([400, 600], [450, 550]),
        ([3, 4], [4, 3]),
        ([5000, 3000, 2000, 0], [300, 100, 600, 0]),
        ([1000] * 30, [900 + 7 * i for i in range(30)]),
    ):
        used = [(x, y) for x, y in zip(a, b) if x + y > 0]
        p = stats.chi2_contingency(np.array(used).T)
        g = stats.chi2_contingency(np.array(used).T, lambda_="log-likelihood")
        tables.append({"a": a, "b": b, "pearson": [p.statistic, p.pvalue, p.dof], "g": [g.statistic, g.pvalue, g.dof]})
    fits = []
    for a, b in (([100, 200, 300], [12, 25, 10]), ([400, 600], [45, 55]), ([5, 1, 1], [50, 3, 0])):
        expected = np.array(a) * sum(b) / sum(a)
        p = stats.chisquare(b, expected)
        g = stats.power_divergence(b, expected, lambda_="log-likelihood")
        fits.append({"a": a, "b": b, "pearson": [p.statistic, p.pvalue], "g": [g.statistic, g.pvalue]})
    proportions = [
        [*case, *proportions_ztest([case[0], case[2]], [case[1], case[3]])]
        for case in ([30, 100, 45, 110], [1, 50, 0, 60], [4000, 10000, 700, 1500], [5, 10, 5, 10], [500, 1000, 900, 1000])
    ]
    ps = [[0.01, 0.04, 0.03, 0.5, 0.2], [0.9, 0.001, 0.001, 0.02], [0.7], uniforms(21, 30)]
    write(
        "tests",
        {"samples": found, "tables": tables, "fits": fits, "proportions": proportions,
         "benjaminiHochberg": [[p, stats.false_discovery_control(p)] for p in ps]},
    )  # fmt: skip


def distances():
    shares = []
    for seed, bins in ((31, 3), (32, 10), (33, 40)):
        r, c = np.array(uniforms(seed, bins)), np.array(uniforms(seed + 100, bins))
        r, c = r / r.sum(), c / c.sum()
        shares.append(
            {"r": r, "c": c, "psi": np.sum((r - c) * np.log(r / c)), "kullbackLeibler": stats.entropy(r, c),
             "jensenShannon": distance.jensenshannon(r, c), "jensenShannon2": distance.jensenshannon(r, c, base=2),
             "totalVariation": np.abs(r - c).sum() / 2, "hellinger": np.sqrt(1 - np.sum(np.sqrt(r * c)))}
        )  # fmt: skip
    edges = []
    for spec in ([41, 30, 0, 1, None], [42, 500, 50, 12, None], [43, 500, 5, 1.5, 0], [44, 2000, 3, 1, 1]):
        values = np.array(normals(*spec))
        whole = values.astype(int) if spec[4] == 0 else values
        edges.append(
            {"sample": spec, "sturges": np.histogram_bin_edges(whole, "sturges"),
             "doane": np.histogram_bin_edges(whole, "doane"),
             "counts": np.histogram(whole, np.histogram_bin_edges(whole, "sturges"))[0]}
        )  # fmt: skip
    write("distances", {"shares": shares, "edges": edges})


if __name__ == "__main__":
    numerics()
    tests()
    distances()
