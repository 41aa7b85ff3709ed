"""Metrics of top-k lists for binary relevance, one value per list.

`hits` is bool (n_lists, k), best first: whether the item at that rank is relevant. Shorter lists
are padded with False. `n_relevant` is int (n_lists,), at least 1: all relevant items of the target
window, including those that no list could contain. If a model has no list for a user, the row is
False and counts as zero.
"""

import numpy as np


def average_precision(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Return AP@k of each list, float64 (n_lists,).

    AP@k is the sum of the precision at each rank with a hit, divided by min(k, n_relevant). Source:
    MAP@k of the KDD Cup 2012 and Kaggle.
    """
    k = hits.shape[1]
    precision = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
    return (precision * hits).sum(axis=1) / np.minimum(k, n_relevant)


def notebook_average_precision(hits: np.ndarray) -> np.ndarray:
    """Return the notebook's AP, float64 (n_lists,): the same sum, divided by the number of hits.

    It ignores misses: one hit at rank 1 scores 1, even if nine other relevant items are missed.
    """
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return (precision * hits).sum(axis=1) / np.maximum(1, hits.sum(axis=1))


def ndcg(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Return NDCG@k of each list, float64 (n_lists,).

    DCG has gain 1 and discount 1 / log2(rank + 1). It is divided by the DCG of min(k, n_relevant)
    hits at the top. Source: Järvelin and Kekäläinen 2002.
    """
    discounts = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    ideal = np.cumsum(discounts)[np.minimum(hits.shape[1], n_relevant) - 1]
    return (hits * discounts).sum(axis=1) / ideal


def recall(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Return hits / n_relevant, float64 (n_lists,); always below 1 if n_relevant exceeds k."""
    return hits.sum(axis=1) / n_relevant


def hit_rate(hits: np.ndarray) -> np.ndarray:
    """Return 1.0 for lists with a hit, else 0.0, float64 (n_lists,)."""
    return hits.any(axis=1).astype(np.float64)


def oracle_average_precision(n_found: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """Return AP@k of the best order of a candidate list with n_found of the relevant items."""
    return np.minimum(k, n_found) / np.minimum(k, n_relevant)
