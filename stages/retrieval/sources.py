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
from itertools import repeat

import numpy as np
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from folds.candidate_lists import Found
from folds.factors import Factors
from folds.history import History
from folds.selection import largest
from folds.similarity import item_knn as item_knn_similarity
from folds.similarity import normalised
from retrieval.params import Sources

BLOCK = 2_000_000  # scores held at once by each thread (8 MB)


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
        """float64 (len(ease_items), len(ease_items)), zero diagonal, on a grid for exact sums."""
        weights = ease_weights(self.ease_positives, self.params.ease.l2, self.n_threads)
        return on_grid(weights, grid_bits(len(weights)) - 1, axis=0)  # a positive takes one bit


def ease_weights(positives: sparse.csr_array, l2: float, n_threads: int) -> np.ndarray:
    """The item-item weights of EASE, equation 8 of Steck (2019): P = (X'X + l2 I)^-1, B = -P /
    diag(P), diag(B) = 0.
    """
    gram = co_occurrence(positives, n_threads)
    gram[np.diag_indices_from(gram)] += l2
    precision = linalg.inv(gram, overwrite_a=True, check_finite=False, assume_a="pos")
    weights = precision / -np.diag(precision)
    np.fill_diagonal(weights, 0)
    return weights


def co_occurrence(positives: sparse.csr_array, n_threads: int) -> np.ndarray:
    """X'X, float32 (n_items, n_items): counts, so exact whichever way they are added up.

    The sparse product's time grows with the squares of the users' numbers of positives, the dense
    one's with that of the number of items, but each addition takes about 1/200 of the time.
    """
    n_users, n_items = positives.shape
    squares = (np.diff(positives.indptr).astype(np.float64) ** 2).sum()
    if squares < 0.005 * n_users * n_items**2:
        return (positives.T @ positives).toarray()
    gram = np.zeros((n_items, n_items), dtype=np.float32)
    with threadpool_limits(n_threads, "blas"):
        for users in _blocks(np.arange(n_users), n_items // 8 + 1):  # few: gram is read in each
            block = positives[users].toarray()
            gram += block.T @ block
    return gram


def popularity(history: History, windows: int | None = None) -> np.ndarray:
    """float32 (n_items,): positives of each item, in the last `windows` windows of the history, or
    in all of it.
    """
    item = history.positives.indices
    if windows is not None:
        first = history.n_windows - windows
        item = history.item[history.is_positive & (history.window >= first)]
    return np.bincount(item, minlength=history.n_items).astype(np.float32)


def recent_popularity(history: History, windows: int) -> np.ndarray:
    """float64 (n_items,): recent positives; ties, and items without any, are ordered by all
    positives of the history.
    """
    overall = popularity(history).astype(np.float64)
    return popularity(history, windows) + overall / (overall.max() + 1)


def _block_size(width: int) -> int:
    return max(1, BLOCK // width)


def _blocks(users: np.ndarray, width: int) -> Iterator[np.ndarray]:
    size = _block_size(width)
    for start in range(0, len(users), size):
        yield users[start : start + size]


def by_ranking(
    history: History, scores: np.ndarray, users: np.ndarray, n: int, n_threads: int
) -> Found:
    """The n unseen items of one ranking for all: by score (n_items,) descending, then item index.

    A user of -1 has no history and has seen nothing.
    """
    ranking = np.lexsort((np.arange(len(scores)), -scores)).astype(np.int32)
    place = np.empty_like(ranking)
    place[ranking] = np.arange(len(ranking), dtype=np.int32)
    item = np.full((len(users), n), -1, dtype=np.int32)

    def fill(rows: np.ndarray, depth: int) -> np.ndarray:
        """Puts what the first `depth` hold into the rows of item; returns the rows left short."""
        known = np.flatnonzero(users[rows] >= 0)
        seen = history.exposures[users[rows[known]]]
        seen_place = place[seen.indices]
        is_shallow = seen_place < depth
        is_new = np.ones((len(rows), depth), dtype=bool)
        is_new[known[_row_of(seen)[is_shallow]], seen_place[is_shallow]] = False
        number = np.cumsum(is_new, axis=1, dtype=np.int32)
        row, found = np.divmod(np.flatnonzero(is_new & (number <= n)), depth)
        item[rows[row], number[row, found] - 1] = ranking[found]
        return rows[number[:, -1] < n]

    waiting, depth = np.arange(len(users)), 0
    with ThreadPoolExecutor(n_threads) as threads:
        while len(waiting) and depth < len(ranking):
            depth = min(4 * depth or 2 * n, len(ranking))
            short = threads.map(fill, _blocks(waiting, len(ranking)), repeat(depth))
            waiting = np.concatenate(list(short))
    return Found(item, np.where(item < 0, np.nan, scores[item]).astype(np.float32))


def by_scores(
    score: Callable[[slice], np.ndarray | sparse.csr_matrix],
    exposures: sparse.csr_array,
    users: np.ndarray,
    n: int,
    n_threads: int,
) -> Found:
    """The n unseen items with the largest score of each user; ties by item index.

    score      of a block of `users` -> float32 (size of the block, n_items); CSR where most items
               of most users have none, which is what 0 then means
    exposures  CSR (all users, n_items)
    Blocks are worked on side by side, each by one thread.
    """
    n_items = exposures.shape[1]

    def best_of(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores, seen = score(slice(rows[0], rows[-1] + 1)), exposures[users[rows]]
        if sparse.issparse(scores) and 4 * scores.nnz > len(rows) * n_items:
            scores = scores.toarray()
            scores[scores <= 0] = -np.inf
        if sparse.issparse(scores):
            return _best_stored(scores, seen, n)
        scores[_row_of(seen), seen.indices] = -np.inf
        row, place, item = largest(scores, n)
        return _padded(len(rows), n, row, place, item, scores[row, item])

    with ThreadPoolExecutor(n_threads) as threads:
        parts = list(threads.map(best_of, _blocks(np.arange(len(users)), n_items)))
    if not parts:
        return Found(np.empty((0, n), np.int32), np.empty((0, n), np.float32))
    return Found(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _best_stored(
    scores: sparse.csr_matrix, seen: sparse.csr_array, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same from the stored scores alone, moved together to the left."""
    scores.sort_indices()
    row = _row_of(scores)
    place = np.arange(scores.nnz) - scores.indptr[row]
    is_seen = np.zeros(scores.shape, dtype=bool)
    is_seen[_row_of(seen), seen.indices] = True
    is_usable = (scores.data > 0) & ~is_seen[row, scores.indices]
    width = int(np.diff(scores.indptr).max(initial=0))
    stored = np.full((scores.shape[0], width), -np.inf, dtype=np.float32)
    stored[row[is_usable], place[is_usable]] = scores.data[is_usable]
    row, place, column = largest(stored, n)
    item = scores.indices[scores.indptr[row] + column]
    return _padded(len(stored), n, row, place, item, stored[row, column])


def _row_of(matrix: sparse.csr_array) -> np.ndarray:
    """int32: the row of every stored entry."""
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))


def _padded(
    n_users: int, n: int, row: np.ndarray, place: np.ndarray, item: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """item and score as in Found."""
    items = np.full((n_users, n), -1, dtype=np.int32)
    scores = np.full((n_users, n), np.nan, dtype=np.float32)
    items[row, place], scores[row, place] = item, score
    return items, scores


def on_grid(values: np.ndarray, n_bits: int, axis: int = 1) -> np.ndarray:
    """float64, same shape: each vector along the axis rounded to multiples of one power of two,
    such that its largest absolute value takes n_bits bits.

    The sum of d products of two such vectors needs at most the bits of both and log2(d) more. While
    these are no more than the 53 of a float64 nothing is ever rounded, so the sum is the same in
    any order, on any processor, whichever vectors stand beside it. BLAS promises none of that.
    """
    exponent = np.frexp(np.abs(values).max(axis=axis, keepdims=True, initial=0))[1]
    unit = np.ldexp(1.0, exponent - n_bits)
    return np.rint(values / unit) * unit


def grid_bits(width: int) -> int:
    """Bits left for both sides together in a sum of `width` products; see on_grid."""
    return 53 - (width - 1).bit_length()


def by_vectors(
    inputs: Inputs, vectors: np.ndarray, items: np.ndarray, users: np.ndarray, n: int
) -> Found:
    """The n unseen items with the largest dot product; vectors float32 (len(users), d), items
    float32 (n_items, d).
    """
    n_bits = grid_bits(items.shape[1]) // 2
    rounded, columns = on_grid(vectors, n_bits), on_grid(items, n_bits).T
    return by_scores(
        lambda rows: (rounded[rows] @ columns).astype(np.float32),
        inputs.history.exposures,
        users,
        n,
        inputs.n_threads,
    )


def als(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """Dot product of the factors."""
    return by_vectors(
        inputs, inputs.factors.user_factors[users], inputs.factors.item_factors, users, n
    )


def item_knn(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """Sum of the similarities between an item and the user's positives; only items with any."""
    history, similarity = inputs.history, inputs.knn_similarity
    positives = sparse.csr_matrix(history.positives[users])
    return by_scores(
        lambda rows: positives[rows] @ similarity, history.exposures, users, n, inputs.n_threads
    )


def ease(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """The user's row of positives times the weights of EASE; only items of ease_items."""
    positives, weights = inputs.ease_positives[users].astype(np.float64), inputs.ease_weights
    is_dense = inputs.ease_positives.nnz > 0.1 * np.prod(inputs.ease_positives.shape)

    def score(rows: slice) -> np.ndarray:  # BLAS takes about 1/10 of the time for an addition
        block = positives[rows].toarray() if is_dense else positives[rows]
        return (block @ weights).astype(np.float32)

    found = by_scores(score, inputs.ease_exposures, users, n, inputs.n_threads)
    item = np.where(found.item < 0, -1, inputs.ease_items[found.item]).astype(np.int32)
    return Found(item, found.score)


def popular(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """Positives in the whole history."""
    return by_ranking(inputs.history, inputs.popularity, users, n, inputs.n_threads)


def recent_popular(inputs: Inputs, users: np.ndarray, n: int) -> Found:
    """Positives in the last windows."""
    return by_ranking(inputs.history, inputs.recent_popularity, users, n, inputs.n_threads)


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
