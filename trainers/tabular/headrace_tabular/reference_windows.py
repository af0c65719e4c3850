# SPDX-License-Identifier: Apache-2.0
"""The reference cut into windows of time, and some of its scores with their labels.

Windows say how much a window differs from the others by itself: monitoring takes thresholds from that. Labelled scores let
it estimate performance before labels come. Neither holds features of single rows.
"""

from __future__ import annotations

import numpy as np

MOST_WINDOWS = 200
LABELLED = 5_000
_MINUTE = 60_000_000
# Each a whole multiple of the one before, so that windows of a length are made of windows of any shorter one.
LENGTHS = [minutes * _MINUTE for minutes in (1, 5, 15, 60, 6 * 60, 24 * 60, 7 * 24 * 60)]


class Windows:
    """Tumbling windows of event time, aligned to the epoch; those without rows are left out."""

    def __init__(self, event_time: np.ndarray):
        """event_time: int64 microseconds, rising. Takes the shortest length that gives at most 200 windows."""
        span = int(event_time[-1]) - int(event_time[0])
        self.length = next((length for length in LENGTHS if span // length < MOST_WINDOWS - 1), LENGTHS[-1])
        starts, self._row = np.unique(event_time // self.length * self.length, return_inverse=True)
        self._dropped = max(len(starts) - MOST_WINDOWS, 0)  # of decades, the newest
        self.starts = starts[self._dropped :]

    def describe(self) -> dict:
        rows = np.bincount(self._row, minlength=self._dropped + len(self.starts))[self._dropped :]
        return {"length_micros": self.length, "starts": self.starts.tolist(), "rows": rows.tolist()}

    def counts(self, values: np.ndarray, edges: np.ndarray) -> list[list[int]]:
        """For each window the counts of the bins [edge, next edge), values beyond the ends in the outermost; NaN left out."""
        bins = len(edges) - 1
        present = ~np.isnan(values)
        place = self._row[present] * bins + np.searchsorted(edges[1:-1], values[present], side="right")
        counted = np.bincount(place, minlength=(self._dropped + len(self.starts)) * bins)
        return counted.reshape(-1, bins)[self._dropped :].tolist()

    def sums(self, values: np.ndarray) -> list[float]:
        """For each window the sum of the values of its rows."""
        summed = np.bincount(self._row, weights=values, minlength=self._dropped + len(self.starts))
        return summed[self._dropped :].tolist()


def labelled_scores(score: np.ndarray, label: np.ndarray) -> dict:
    """At most 5,000 rows, evenly over the time that they were taken from."""
    chosen = np.round(np.linspace(0, len(score) - 1, min(len(score), LABELLED))).astype(int)
    return {"score": score[chosen].tolist(), "label": label[chosen].tolist()}
