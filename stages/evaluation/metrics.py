"""Metrics of top-k lists, for binary relevance, one value per user; and the bootstrap over users.

In every function `hits` is bool (n_users, k), best first: whether the item at that rank is
relevant; a shorter list is filled up with False. `n_relevant` is int (n_users,), at least 1: all
relevant items of the target window, also those no list could hold. Users that a model serves badly
or not at all are rows of False and count as zero.
"""

import numpy as np


def average_precision(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """AP@k of every user: sum over hits at rank i of precision at i, divided by min(k, n_relevant).

    Source: the definition of the KDD Cup 2012 and of Kaggle's MAP@k. float64 (n_users,).
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

    Source: Järvelin and Kekäläinen 2002, with binary gain. float64 (n_users,).
    """
    discounts = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    ideal = np.cumsum(discounts)[np.minimum(hits.shape[1], n_relevant) - 1]
    return (hits * discounts).sum(axis=1) / ideal


def recall(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Hits within k divided by n_relevant, so below 1 for a user with more than k relevant
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


def bootstrap(difference: np.ndarray, n_resamples: int, seed: int) -> dict[str, float]:
    """Percentile interval of the mean of per-user differences, resampling users with replacement.

    difference  float (n_users,): one model's value minus the other's for the same user (paired)
    Returns ci95_low, ci95_high (2.5 % and 97.5 % of the resampled means) and p_value: two-sided,
    twice the smaller share of resampled means on either side of zero, counting the observed one
    (Efron and Tibshirani 1993, chapters 13 and 16), at most 1.

    A resample is how often each distinct difference was drawn: a multinomial, so the cost grows
    with the distinct values.
    """
    values, counts = np.unique(difference, return_counts=True)
    share = counts / counts.sum()
    rng = np.random.default_rng(seed)
    means = np.empty(n_resamples)
    block = max(1, 8_000_000 // len(values))
    for start in range(0, n_resamples, block):
        size = min(block, n_resamples - start)
        drawn = rng.multinomial(len(difference), share, size=size)
        means[start : start + size] = drawn @ values / len(difference)
    low, high = np.quantile(means, [0.025, 0.975])
    tail = min((means <= 0).sum(), (means >= 0).sum())
    p_value = min(1.0, 2 * (tail + 1) / (n_resamples + 1))
    return {"ci95_low": float(low), "ci95_high": float(high), "p_value": float(p_value)}
