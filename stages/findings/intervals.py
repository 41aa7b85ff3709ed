"""Intervals of many means at once, by one bootstrap over users."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from evaluation.metrics import FEWEST_USERS

MOST_CLUSTERS = 20_000  # with more users, random groups of users are drawn instead
MOST_RESAMPLES = 5_000
CELLS_AT_ONCE = 20_000_000


class Interval(NamedTuple):
    """A mean, its 95 % interval, and the number of values it is the mean of. low and high are NaN
    where it is of too few users.
    """

    value: float
    low: float
    high: float
    n: int

    @property
    def is_known(self) -> bool:
        return self.low <= self.high

    @property
    def reach(self) -> tuple[float, ...]:
        """What a picture of it must have room for."""
        return (self.value, self.low, self.high) if self.is_known else (self.value,)

    @property
    def is_above_zero(self) -> bool:
        return self.low > 0

    @property
    def is_below_zero(self) -> bool:
        return self.high < 0


def intervals(
    columns: Iterable[tuple[str, np.ndarray]], user: np.ndarray, n_resamples: int, seed: int
) -> dict[str, Interval]:
    """Mean and 95 % percentile interval of every column; a column without a value is left out, and
    one of fewer than FEWEST_USERS users has no interval.

    columns  name and float (n_rows,); NaN in a row that does not count
    user     int (n_rows,): whose row it is. What is drawn with replacement are users, each with all
             their rows, as in evaluation.metrics.bootstrap; the same draws serve every column
    """
    cluster, n_clusters = _clusters(user, seed)
    sums, sizes = {}, {}
    for name, values in columns:
        is_in = ~np.isnan(values)
        if is_in.any():
            sums[name] = np.bincount(cluster, np.where(is_in, values, 0.0), n_clusters)
            sizes[name] = np.bincount(cluster, is_in, n_clusters)
    if not sums:
        return {}
    means = _resampled(
        np.stack(list(sums.values()), axis=1),
        np.stack(list(sizes.values()), axis=1),
        min(n_resamples, MOST_RESAMPLES),
        np.random.default_rng(seed),
    )
    bounds = np.nanquantile(means, [0.025, 0.975], axis=0)
    n_users = np.array([np.count_nonzero(of) for of in sizes.values()])
    low, high = np.where(n_users < FEWEST_USERS, np.nan, bounds)
    return {
        name: Interval(
            float(sums[name].sum() / sizes[name].sum()),
            float(low[i]),
            float(high[i]),
            int(sizes[name].sum()),
        )
        for i, name in enumerate(sums)
    }


def _clusters(user: np.ndarray, seed: int) -> tuple[np.ndarray, int]:
    """The cluster of each row, int64 (n_rows,), and their number: users, or groups of them."""
    distinct, cluster = np.unique(user, return_inverse=True)
    if len(distinct) <= MOST_CLUSTERS:
        return cluster, len(distinct)
    group = np.random.default_rng(seed).permutation(len(distinct)) % MOST_CLUSTERS
    return group[cluster], MOST_CLUSTERS


def _resampled(
    sums: np.ndarray, sizes: np.ndarray, n_resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Means over clusters drawn with replacement: float64 (n_resamples, n_columns), NaN where none
    that was drawn has a value.

    sums, sizes  float64 (n_clusters, n_columns): of the values of each cluster
    """
    n_clusters, n_columns = sums.shape
    means = np.empty((n_resamples, n_columns))
    step = max(1, CELLS_AT_ONCE // n_clusters)
    for start in range(0, n_resamples, step):
        rows = min(step, n_resamples - start)
        drawn = rng.integers(0, n_clusters, (rows, n_clusters), dtype=np.int32)
        drawn += (np.arange(rows, dtype=np.int32) * n_clusters)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * n_clusters).astype(np.float64)
        times = times.reshape(rows, n_clusters)
        with np.errstate(invalid="ignore"):
            means[start : start + rows] = (times @ sums) / (times @ sizes)
    return means
