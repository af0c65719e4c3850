"""Differences between groups by fairlearn: golden-fairness.json.

    python -m venv VENV && VENV/bin/pip install -r requirements-fairlearn.txt && VENV/bin/python fairness_numbers.py
"""

import numpy as np
from fairlearn.metrics import demographic_parity_difference, equal_opportunity_difference

from portable import Random, write

found = []
for seed, count, groups in ((201, 400, 2), (202, 900, 3), (203, 2000, 5)):
    random = Random(seed)
    group, score, label = [], [], []
    for _ in range(count):
        g = random.below(groups)
        s = random.next() * (1 - 0.1 * g)
        group.append(g)
        score.append(s)
        label.append(1 if random.next() < s else 0)
    said = (np.array(score) >= 0.4).astype(int)
    found.append({
        "seed": seed, "count": count, "groups": groups, "threshold": 0.4,
        "demographic_parity": demographic_parity_difference(label, said, sensitive_features=group),
        "equal_opportunity": equal_opportunity_difference(label, said, sensitive_features=group),
    })  # fmt: skip

write("fairness", found)
