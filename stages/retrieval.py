"""Candidate sources: each names the n unseen items it scores best for each user, from a fold's
history alone.

A source is a function (inputs, users, n) -> Found. The baselines are the first k of the same
functions, with settings of their own. A pair the user was exposed to is never named. To add a
source: write the function, put it into SOURCES.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from implicit.cpu.topk import topk
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from candidate_lists import Found
from factors import Factors
from folds import History
from item_similarity import item_knn as item_knn_similarity
from item_similarity import normalised
from source_settings import Sources

BLOCK = 16_000_000  # scores held at once (64 MB)


@dataclass(frozen=True)
class Inputs:
    """What the sources may read. embeddings is float32 (n_items, width) for the items of the
    history.
    """

    history: History
    params: Sources
    n_threads: int
    embeddings: np.ndarray
    factors: Factors | None = None

    @cached_property
    def knn_similarity(self) -> sparse.csr_matrix:
        """CSR float (n_items, n_items): the most similar items of each item, itself left out."""
        return item_knn_similarity(self.history.positives, self.params.item_knn, self.n_threads)

    @cached_property
    def ease_items(self) -> np.ndarray:
        """int (<= max_items,), ascending: the items EASE knows, those with most positives where
        the catalogue is larger.
        """
        counts = popularity(self.history)
        return np.sort(np.lexsort((np.arange(len(counts)), -counts))[: self.params.ease.max_items])

    @cached_property
    def ease_weights(self) -> np.ndarray:
        """float32 (len(ease_items), len(ease_items)), zero diagonal."""
        return ease_weights(self.history.positives[:, self.ease_items], self.params.ease.l2)


def ease_weights(positives: sparse.csr_array, l2: float) -> np.ndarray:
    """The item-item weights of EASE, equation 8 of Steck (2019): P = (X'X + l2 I)^-1, B = -P /
    diag(P), diag(B) = 0.
    """
    gram = (positives.T @ positives).toarray()
    gram[np.diag_indices_from(gram)] += l2
    with threadpool_limits(1):  # the sums of BLAS depend on the number of threads
        precision = linalg.inv(gram, overwrite_a=True, check_finite=False, assume_a="pos")
    weights = precision / -np.diag(precision)
    np.fill_diagonal(weights, 0)
    return weights


def popularity(history: History, windows: int | None = None) -> np.ndarray:
    """float32 (n_items,): positives of each item, in the last `windows` windows of the history, or
    in all of it.
    """
    counted = history.is_positive
    if windows is not None:
        counted = counted & (history.window >= history.n_windows - windows)
    return np.bincount(history.item[counted], minlength=history.n_items).astype(np.float32)


def recent_popularity(history: History, windows: int) -> np.ndarray:
    """float64 (n_items,): recent positives; ties, and items without any, are ordered by all
    positives of the history.
    """
    overall = popularity(history).astype(np.float64)
    return popularity(history, windows) + overall / (overall.max() + 1)


def _blocks(users: np.ndarray, width: int) -> Iterator[np.ndarray]:
    size = max(1, BLOCK // width)
    for start in range(0, len(users), size):
        yield users[start : start + size]


def _concatenated(parts: list[tuple[np.ndarray, np.ndarray]], n: int) -> Found:
    if not parts:
        return Found(np.empty((0, n), np.int32), np.empty((0, n), np.float32))
    return Found(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def by_ranking(history: History, scores: np.ndarray, users: np.ndarray, n: int) -> Found:
    """The n unseen items of one ranking for all: by score (n_items,) descending, then item index.

    A user of -1 has no history and has seen nothing.
    """
    ranking = np.lexsort((np.arange(len(scores)), -scores)).astype(np.int32)
    place = np.empty_like(ranking)
    place[ranking] = np.arange(len(ranking), dtype=np.int32)
    is_known = users >= 0
    most_seen = np.diff(history.exposures.indptr)[users[is_known]].max(initial=0)
    depth = min(len(ranking), n + int(most_seen))
    parts = []
    for rows in _blocks(np.arange(len(users)), depth):
        known = rows[is_known[rows]]
        seen = history.exposures[users[known]]
        seen_place = place[seen.indices]
        row = np.repeat(known - rows[0], np.diff(seen.indptr))
        is_shallow = seen_place < depth
        is_seen = np.zeros((len(rows), depth), dtype=bool)
        is_seen[row[is_shallow], seen_place[is_shallow]] = True
        order = np.argsort(is_seen, axis=1, kind="stable")[:, :n]
        item = np.where(np.take_along_axis(is_seen, order, 1), -1, ranking[order])
        parts.append(_padded(item, np.where(item < 0, np.nan, scores[item]), n))
    return _concatenated(parts, n)


def _padded(item: np.ndarray, score: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    margin = ((0, 0), (0, n - item.shape[1]))
    return (
        np.pad(item, margin, constant_values=-1).astype(np.int32),
        np.pad(score, margin, constant_values=np.nan).astype(np.float32),
    )


def by_vectors(
    inputs: Inputs, vectors: np.ndarray, items: np.ndarray, users: np.ndarray, n: int
) -> Found:
    """The n unseen items with the largest dot product; vectors float32 (len(users), d), items
    float32 (n_items, d).
    """
    depth = min(n, len(items))
    parts = []
    for rows in _blocks(np.arange(len(users)), max(1, depth * 8)):
        item, score = topk(
            items,
            vectors[rows],
            depth,
            filter_query_items=sparse.csr_matrix(inputs.history.exposures[users[rows]]),
            num_threads=inputs.n_threads,
        )
        is_seen = score < np.finfo(np.float32).min / 2  # topk fills up with seen items at -3.4e38
        parts.append(_padded(np.where(is_seen, -1, item), np.where(is_seen, np.nan, score), n))
    return _concatenated(parts, n)


def by_scores(
    inputs: Inputs, score: Callable[[np.ndarray], np.ndarray], users: np.ndarray, n: int
) -> Found:
    """The n unseen items with the largest score; score(users) -> float32 (len(users), n_items),
    -inf where there is none.
    """
    history = inputs.history
    depth = min(n, history.n_items)
    parts = []
    for block in _blocks(users, history.n_items):
        scores = score(block)
        seen = history.exposures[block]
        scores[np.repeat(np.arange(len(block)), np.diff(seen.indptr)), seen.indices] = -np.inf
        item = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
        item.sort(axis=1)  # so that the stable sort below breaks ties by item index
        best = np.take_along_axis(scores, item, 1)
        order = np.argsort(-best, axis=1, kind="stable")
        item, best = np.take_along_axis(item, order, 1), np.take_along_axis(best, order, 1)
        is_none = np.isneginf(best)
        parts.append(_padded(np.where(is_none, -1, item), np.where(is_none, np.nan, best), n))
    return _concatenated(parts, n)


def als(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """Dot product of the factors."""
    return by_vectors(
        inputs, inputs.factors.user_factors[users], inputs.factors.item_factors, users, n
    )


def item_knn(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """Sum of the similarities between an item and the user's positives; only items with any."""

    def score(block: np.ndarray) -> np.ndarray:
        scores = (
            sparse.csr_matrix(inputs.history.positives[block]) @ inputs.knn_similarity
        ).toarray()
        scores[scores <= 0] = -np.inf
        return scores

    return by_scores(inputs, score, users, n)


def ease(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """The user's row of positives times the weights of EASE; only items of ease_items."""

    def score(block: np.ndarray) -> np.ndarray:
        scores = np.full((len(block), inputs.history.n_items), -np.inf, dtype=np.float32)
        scores[:, inputs.ease_items] = (
            inputs.history.positives[block][:, inputs.ease_items] @ inputs.ease_weights
        )
        return scores

    return by_scores(inputs, score, users, n)


def popular(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """Positives in the whole history."""
    return by_ranking(inputs.history, popularity(inputs.history), users, n)


def recent_popular(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """Positives in the last windows."""
    scores = recent_popularity(inputs.history, inputs.params.recent_popular.windows)
    return by_ranking(inputs.history, scores, users, n)


def content(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """Cosine of the item's embedding and the mean of the user's normalised positives."""
    items = normalised(inputs.embeddings)
    profiles = normalised(inputs.history.positives[users] @ items)
    return by_vectors(inputs, profiles, items, users, n)


SOURCES: dict[str, Callable[[Inputs, np.ndarray, int], Found]] = {
    "als": als,
    "item_knn": item_knn,
    "ease": ease,
    "popular": popular,
    "recent_popular": recent_popular,
    "content": content,
}
