"""Detections of river's drift detectors: golden-sequential.json.

    python -m venv VENV && VENV/bin/pip install -r requirements-scipy.txt && VENV/bin/python river_numbers.py
"""

from river import drift

from portable import Random, normals, write


def errors(seed, parts):
    """Zeros and ones: [count, rate] after [count, rate]."""
    random = Random(seed)
    return [1 if random.next() < rate else 0 for count, rate in parts for _ in range(count)]


class Kswin(drift.KSWIN):
    """river's own, drawing from the portable generator in place of Python's."""

    def _reset(self):
        super()._reset()
        self._rng = type("Draws", (Random,), {})(self.seed)


def detections(detector, stream):
    drifts, warnings = [], []
    for i, x in enumerate(stream):
        detector.update(x)
        if detector.drift_detected:
            drifts.append(i)
        elif getattr(detector, "warning_detected", False):
            warnings.append(i)
    return {"drifts": drifts, "warnings": len(warnings), "firstWarning": warnings[0] if warnings else None}


ERRORS = [
    [1, [[1000, 0.1], [1000, 0.4]]],
    [2, [[3000, 0.2]]],
    [3, [[500, 0.05], [500, 0.1], [500, 0.2], [500, 0.4], [1000, 0.05]]],
    [4, [[1500, 0.3], [1500, 0.02], [1500, 0.5]]],
]
VALUES = [[[5, 1000, 0.4, 0.1, None], [6, 1000, 0.55, 0.1, None]], [[7, 1500, 0.5, 0.1, 2], [8, 700, 0.5, 0.02, 2]],
          [[9, 2500, 0.5, 0.1, None]]]  # fmt: skip

found = []
for seed, parts in ERRORS:
    stream = errors(seed, parts)
    found.append(
        {
            "errors": [seed, parts],
            "ddm": detections(drift.binary.DDM(), stream),
            "eddm": detections(drift.binary.EDDM(), stream),
            "eddmLoose": detections(drift.binary.EDDM(alpha=0.8, beta=0.75), stream),
            "adwin": detections(drift.ADWIN(), stream),
            "adwinOften": detections(drift.ADWIN(delta=0.05, clock=1), stream),
            "pageHinkley": detections(drift.PageHinkley(), stream),
            "pageHinkleyLow": detections(drift.PageHinkley(threshold=10, delta=0.01), stream),
            "kswin": detections(Kswin(alpha=0.005, seed=1), stream),
        }
    )
for parts in VALUES:
    stream = [x for part in parts for x in normals(*part)]
    found.append(
        {
            "values": parts,
            "adwin": detections(drift.ADWIN(), stream),
            "adwinOften": detections(drift.ADWIN(delta=0.05, clock=1), stream),
            "pageHinkley": detections(drift.PageHinkley(), stream),
            "pageHinkleyLow": detections(drift.PageHinkley(threshold=3, mode="down"), stream),
            "kswin": detections(Kswin(alpha=0.0005, seed=4), stream),
        }
    )
write("sequential", found)
