"""Bootstrap over users: 95 % intervals of means over lists.

A user may have several lists, which are correlated. Therefore the bootstrap draws users with
replacement, each with all their lists (a cluster bootstrap: Efron and Tibshirani 1993, chapters 8,
13 and 16).
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from core.lists import side_by_side

import numpy as np

FEWEST_USERS = 10  # with fewer users there is no interval: with one, all resamples are equal
CELLS_AT_ONCE = 200_000  # number of drawn users such that a block of resamples fits the CPU cache


class Interval(NamedTuple):
    """A mean over n values and its 95 % interval, which is NaN if there are too few users."""

    value: float
    low: float
    high: float
    n: int

    @property
    def is_known(self) -> bool:
        return self.low <= self.high


def bootstrap(
    difference: np.ndarray, user: np.ndarray, n_resamples: int, seed: int, seed_sd: float = 0.0
) -> dict[str, float]:
    """Return the percentile interval and the p-value of the mean of `difference`.

    With seed_sd, the interval also covers the seeds of the rankers. Normal noise with this standard
    deviation is added to each resampled mean, because variances of independent sources add up
    (Bouthillier et al. 2021, Accounting for Variance in Machine Learning Benchmarks). Nothing is
    added if all differences are 0.

    difference  float (n_lists,): one model's value minus the other's for the same list
    user        int (n_lists,): the user of the list
    seed_sd     standard deviation of the mean over seeds, without the effects of seeds on single
                lists (see seed_variance); 0 for models without seeds, NaN if it is unknown
    Returns ci95_low and ci95_high, the 2.5 % and 97.5 % quantiles of the resampled means; p_value,
    two-sided: twice the smaller share of resampled means on either side of zero, counting the
    observed one, at most 1; min_detectable, the difference that a test at the 5 % level detects
    with 80 % power: 2.8 = 1.96 + 0.84 standard errors. All are NaN with fewer than FEWEST_USERS
    users.
    """
    users, row = np.unique(user, return_inverse=True)
    if len(users) < FEWEST_USERS:
        return dict.fromkeys(("ci95_low", "ci95_high", "p_value", "min_detectable"), math.nan)
    of_user = np.stack([np.bincount(row, difference), np.bincount(row)], axis=1)
    rng = np.random.default_rng(seed)
    means = resampled_means(of_user, n_resamples, rng)
    if seed_sd > 0 and difference.any():
        means += rng.normal(0, seed_sd, n_resamples)
    low, high = np.quantile(means, [0.025, 0.975])
    tail = min((means <= 0).sum(), (means >= 0).sum())
    return {
        "ci95_low": float(low),
        "ci95_high": float(high),
        "p_value": float(min(1.0, 2 * (tail + 1) / (n_resamples + 1))),
        "min_detectable": float(2.8 * means.std()),
    }


def seed_variance(values: np.ndarray, window: np.ndarray) -> tuple[float, float]:
    """Estimate the variance over seeds of a mean over lists, and the part common to all lists.

    The common part is caused by effects on all lists of a window. It is a difference of estimates,
    so it can be negative. Each window has its own models, so the variances of windows add up. The
    bootstrap over users already covers effects of seeds on single lists, which would otherwise
    count twice (Owen 2007, The pigeonhole bootstrap).

    values  float64 (n_lists, n_halves): a metric of the list, ranked by each half of the models
    window  int (n_lists,)
    """
    shares = [values[window == one].sum(axis=0) for one in np.unique(window)]
    total = sum(share.var() for share in shares) / len(values) ** 2
    return float(total), float(total - values.var(axis=1).sum() / len(values) ** 2)


def resampled_means(of_user: np.ndarray, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Return the mean over the lists of n_users drawn users for each resample.

    of_user  float64 (n_users, 2): sum of the user's differences, and number of lists
    Returns float64 (n_resamples,).
    """
    n_users, means = len(of_user), np.empty(n_resamples)
    distinct, counts = np.unique(of_user, axis=0, return_counts=True)
    is_crowded = 6 * len(distinct) < n_users  # then drawing counts is cheaper
    sums, sizes = distinct.T if is_crowded else np.repeat(distinct, counts, axis=0).T.copy()
    step = max(1, CELLS_AT_ONCE // len(sums))
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        if is_crowded:
            times = rng.multinomial(n_users, counts / n_users, size=size)
            total, n_lists = times @ sums, times @ sizes
        else:
            drawn = rng.integers(0, n_users, (size, n_users), dtype=np.int32)
            total, n_lists = sums.take(drawn).sum(axis=1), sizes.take(drawn).sum(axis=1)
        means[start : start + size] = total / n_lists
    return means


def intervals(
    columns: Mapping[str, np.ndarray], user: np.ndarray, n_resamples: int, seed: int, n_threads: int
) -> dict[str, Interval]:
    """Return the mean of each column with its interval. Columns without values are left out.

    columns  name -> float (n_lists,), NaN for lists that do not count; user  int (n_lists,)
    """

    def interval(values: np.ndarray) -> Interval:
        is_in = ~np.isnan(values)
        found = bootstrap(values[is_in], user[is_in], n_resamples, seed)
        bounds = found["ci95_low"], found["ci95_high"]
        return Interval(float(values[is_in].mean()), *bounds, int(is_in.sum()))

    known = {name: np.asarray(of) for name, of in columns.items() if not np.isnan(of).all()}
    return dict(zip(known, side_by_side(interval, known.values(), n_threads), strict=True))
