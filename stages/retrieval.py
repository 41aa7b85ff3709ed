"""Candidate sources: each names the n unseen items it scores best for each user, from a fold's
history alone.

A source is a function (inputs, users, n) -> Found. The baselines are the first k of the same
functions, with settings of their own. A pair the user was exposed to is never named. To add a
source: write the function, put it into SOURCES.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
    def popularity(self) -> np.ndarray:
        """float32 (n_items,): positives in the whole history."""
        return popularity(self.history)

    @cached_property
    def recent_popularity(self) -> np.ndarray:
        """float64 (n_items,): see the function of this name."""
        return recent_popularity(self.history, self.params.recent_popular.windows)

    @cached_property
    def item_vectors(self) -> np.ndarray:
        """float32 (n_items, width): embeddings of length 1."""
        return normalised(self.embeddings)

    @cached_property
    def ease_items(self) -> np.ndarray:
        """int (<= max_items,), ascending: the items EASE knows, those with most positives where
        the catalogue is larger.
        """
        counts = self.popularity
        return np.sort(np.lexsort((np.arange(len(counts)), -counts))[: self.params.ease.max_items])

    @cached_property
    def ease_positives(self) -> sparse.csr_array:
        """CSR float32 (n_users, len(ease_items)) of ones."""
        return self.history.positives[:, self.ease_items]

    @cached_property
    def ease_exposures(self) -> sparse.csr_array:
        """CSR float32 (n_users, len(ease_items)) of ones."""
        return self.history.exposures[:, self.ease_items]

    @cached_property
    def ease_weights(self) -> np.ndarray:
        """float32 (len(ease_items), len(ease_items)), zero diagonal."""
        return ease_weights(self.ease_positives, self.params.ease.l2)


def ease_weights(positives: sparse.csr_array, l2: float) -> np.ndarray:
    """The item-item weights of EASE, equation 8 of Steck (2019): P = (X'X + l2 I)^-1, B = -P /
    diag(P), diag(B) = 0.
    """
    gram = co_occurrence(positives)
    gram[np.diag_indices_from(gram)] += l2
    with threadpool_limits(1):  # the sums of BLAS depend on the number of threads
        precision = linalg.inv(gram, overwrite_a=True, check_finite=False, assume_a="pos")
    weights = precision / -np.diag(precision)
    np.fill_diagonal(weights, 0)
    return weights


def co_occurrence(positives: sparse.csr_array) -> np.ndarray:
    """X'X, float32 (n_items, n_items): counts, so exact whichever way they are added up.

    The sparse product's time grows with the squares of the users' numbers of positives, the dense
    one's with that of the number of items, but each addition takes about 1/200 of the time.
    """
    n_users, n_items = positives.shape
    squares = (np.diff(positives.indptr).astype(np.float64) ** 2).sum()
    if squares < 0.005 * n_users * n_items**2:
        return (positives.T @ positives).toarray()
    gram = np.zeros((n_items, n_items), dtype=np.float32)
    for users in _blocks(np.arange(n_users), n_items):
        block = positives[users].toarray()
        gram += block.T @ block
    return gram


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
        is_new = np.ones((len(rows), depth), dtype=bool)
        is_new[row[is_shallow], seen_place[is_shallow]] = False
        number = np.cumsum(is_new, axis=1, dtype=np.int32)
        user, found = np.nonzero(is_new & (number <= n))
        item = np.full((len(rows), n), -1, dtype=np.int32)
        item[user, number[user, found] - 1] = ranking[found]
        parts.append((item, np.where(item < 0, np.nan, scores[item]).astype(np.float32)))
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
    score: Callable[[np.ndarray], np.ndarray],
    exposures: sparse.csr_array,
    users: np.ndarray,
    n: int,
    n_threads: int,
) -> Found:
    """The n unseen items with the largest score; score(users) -> float32 (len(users), n_items),
    -inf where there is none; exposures CSR (all users, n_items). Blocks of users are scored side by
    side, since scipy's products and numpy's selection use one thread each.
    """
    n_items = exposures.shape[1]
    depth = min(n, n_items)

    def best_of(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores = score(block)
        seen = exposures[block]
        scores[np.repeat(np.arange(len(block)), np.diff(seen.indptr)), seen.indices] = -np.inf
        item = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
        item.sort(axis=1)  # so that the stable sort below breaks ties by item index
        best = np.take_along_axis(scores, item, 1)
        order = np.argsort(-best, axis=1, kind="stable")
        item, best = np.take_along_axis(item, order, 1), np.take_along_axis(best, order, 1)
        is_none = np.isneginf(best)
        return _padded(np.where(is_none, -1, item), np.where(is_none, np.nan, best), n)

    with ThreadPoolExecutor(n_threads) as threads:
        blocks = _blocks(users, n_items * n_threads)
        return _concatenated(list(threads.map(best_of, blocks)), n)


def als(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """Dot product of the factors."""
    return by_vectors(
        inputs, inputs.factors.user_factors[users], inputs.factors.item_factors, users, n
    )


def item_knn(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """Sum of the similarities between an item and the user's positives; only items with any."""
    positives, similarity = inputs.history.positives, inputs.knn_similarity

    def score(block: np.ndarray) -> np.ndarray:
        scores = (sparse.csr_matrix(positives[block]) @ similarity).toarray()
        scores[scores <= 0] = -np.inf
        return scores

    return by_scores(score, inputs.history.exposures, users, n, inputs.n_threads)


def ease(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """The user's row of positives times the weights of EASE; only items of ease_items."""
    positives, weights = inputs.ease_positives, inputs.ease_weights
    found = by_scores(
        lambda block: positives[block] @ weights,
        inputs.ease_exposures,
        users,
        n,
        inputs.n_threads,
    )
    item = np.where(found.item < 0, -1, inputs.ease_items[found.item]).astype(np.int32)
    return Found(item, found.score)


def popular(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """Positives in the whole history."""
    return by_ranking(inputs.history, inputs.popularity, users, n)


def recent_popular(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """Positives in the last windows."""
    return by_ranking(inputs.history, inputs.recent_popularity, users, n)


def content(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """Cosine of the item's embedding and the mean of the user's normalised positives."""
    profiles = normalised(inputs.history.positives[users] @ inputs.item_vectors)
    return by_vectors(inputs, profiles, inputs.item_vectors, users, n)


SOURCES: dict[str, Callable[[Inputs, np.ndarray, int], Found]] = {
    "als": als,
    "item_knn": item_knn,
    "ease": ease,
    "popular": popular,
    "recent_popular": recent_popular,
    "content": content,
}
