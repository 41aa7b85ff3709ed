"""Metrics of top-k lists, for binary relevance, one value per list; and the bootstrap over users.

In every function `hits` is bool (n_lists, k), best first: whether the item at that rank is
relevant; a shorter list is filled up with False. `n_relevant` is int (n_lists,), at least 1: all
relevant items of the target window, also those no list could hold. Lists that a model serves badly
or not at all are rows of False and count as zero.
"""

import math

import numpy as np

FEWEST_USERS = 10  # that a bootstrap can say anything of: of one, every draw is the same


def average_precision(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """AP@k of every list: sum over hits at rank i of precision at i, divided by min(k, n_relevant).

    Source: the definition of the KDD Cup 2012 and of Kaggle's MAP@k. float64 (n_lists,).
    """
    k = hits.shape[1]
    precision = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
    return (precision * hits).sum(axis=1) / np.minimum(k, n_relevant)


def notebook_average_precision(hits: np.ndarray) -> np.ndarray:
    """The formula of the notebook this project replaces: the same sum, divided by the number of
    hits within k.

    It ignores all that was missed: one hit at rank 1 out of ten relevant items scores 1. Only ever
    reported for comparison.
    """
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return (precision * hits).sum(axis=1) / np.maximum(1, hits.sum(axis=1))


def ndcg(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """DCG with gain 1 and discount 1 / log2(rank + 1), divided by that of min(k, n_relevant) hits
    at the top.

    Source: Järvelin and Kekäläinen 2002, with binary gain. float64 (n_lists,).
    """
    discounts = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    ideal = np.cumsum(discounts)[np.minimum(hits.shape[1], n_relevant) - 1]
    return (hits * discounts).sum(axis=1) / ideal


def recall(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Hits within k divided by n_relevant, so below 1 for a list with more than k relevant
    items.
    """
    return hits.sum(axis=1) / n_relevant


def hit_rate(hits: np.ndarray) -> np.ndarray:
    """1.0 where there is any hit within k, else 0.0."""
    return hits.any(axis=1).astype(np.float64)


def oracle_average_precision(n_found: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """AP@k of the best order of a candidate list that holds n_found of the relevant items: min(k,
    found) / min(k, relevant).
    """
    return np.minimum(k, n_found) / np.minimum(k, n_relevant)


def bootstrap(
    difference: np.ndarray, user: np.ndarray, n_resamples: int, seed: int
) -> dict[str, float]:
    """Percentile interval of the mean of per-list differences. What is drawn with replacement are
    users, each with all their lists, since lists of one user are alike (a cluster bootstrap: Efron
    and Tibshirani 1993, chapters 8, 13 and 16).

    difference  float (n_lists,): one model's value minus the other's for the same list (paired)
    user        int (n_lists,): whose list it is
    Returns ci95_low, ci95_high: 2.5 % and 97.5 % of the resampled means; p_value: two-sided, twice
    the smaller share of resampled means on either side of zero, counting the observed one, at most
    1; min_detectable: the difference that a test at 5 % finds with 80 % power, which is 2.8 =
    1.96 + 0.84 standard errors. All are NaN where there are fewer than FEWEST_USERS users.
    """
    users, row = np.unique(user, return_inverse=True)
    if len(users) < FEWEST_USERS:
        return dict.fromkeys(("ci95_low", "ci95_high", "p_value", "min_detectable"), math.nan)
    of_user = np.stack([np.bincount(row, difference), np.bincount(row)], axis=1)
    means = resampled_means(of_user, n_resamples, np.random.default_rng(seed))
    low, high = np.quantile(means, [0.025, 0.975])
    tail = min((means <= 0).sum(), (means >= 0).sum())
    return {
        "ci95_low": float(low),
        "ci95_high": float(high),
        "p_value": float(min(1.0, 2 * (tail + 1) / (n_resamples + 1))),
        "min_detectable": float(2.8 * means.std()),
    }


def resampled_means(of_user: np.ndarray, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """The mean over the lists of n_users users drawn with replacement: float64 (n_resamples,).

    of_user  float64 (n_users, 2): the sum of the user's differences, and the number of lists
    """
    n_users, means = len(of_user), np.empty(n_resamples)
    distinct, counts = np.unique(of_user, axis=0, return_counts=True)
    is_crowded = 6 * len(distinct) < n_users  # then it is cheaper to draw how often each occurs
    sums, sizes = distinct.T if is_crowded else np.repeat(distinct, counts, axis=0).T.copy()
    step = max(1, 4_000_000 // len(sums))
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        if is_crowded:
            times = rng.multinomial(n_users, counts / n_users, size=size)
            total, n_lists = times @ sums, times @ sizes
        else:
            drawn = rng.integers(0, n_users, (size, n_users), dtype=np.int32)
            total, n_lists = sums[drawn].sum(axis=1), sizes[drawn].sum(axis=1)
        means[start : start + size] = total / n_lists
    return means
