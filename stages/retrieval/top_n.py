"""The n unseen items with the largest scores of every user, for sources that score by vectors, by a
matrix or by one ranking for all.

Written here, though libraries have it: `recommend` of `implicit` breaks ties by chance, fills up
with seen items at -3.4e38 where fewer than n unseen ones are left, and its products, like all of
BLAS, have last bits that depend on which users stand in a batch.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import repeat

import numpy as np
from scipy import sparse

from folds.candidate_lists import Retrieved
from folds.history import History
from folds.lists import largest
from folds.products import blocks, grid_bits, on_grid
from retrieval.source import TopN


def by_ranking(served: History, scores: np.ndarray, n_threads: int) -> TopN:
    """Retrieves by one ranking for all: by score (n_items,) descending, then item index.

    served  what each user has seen; a user of -1 has no history and has seen nothing
    """
    ranking = np.lexsort((np.arange(len(scores)), -scores)).astype(np.int32)
    place = np.empty_like(ranking)
    place[ranking] = np.arange(len(ranking), dtype=np.int32)

    def fill(
        users: np.ndarray, n: int, item: np.ndarray, rows: np.ndarray, depth: int
    ) -> np.ndarray:
        """Puts what the first `depth` hold into the rows of item; returns the rows left short."""
        known = np.flatnonzero(users[rows] >= 0)
        seen = served.exposures[users[rows[known]]]
        seen_place = place[seen.indices]
        is_shallow = seen_place < depth
        is_new = np.ones((len(rows), depth), dtype=bool)
        is_new[known[row_of_entry(seen)[is_shallow]], seen_place[is_shallow]] = False
        number = np.cumsum(is_new, axis=1, dtype=np.int32)
        row, found = np.divmod(np.flatnonzero(is_new & (number <= n)), depth)
        item[rows[row], number[row, found] - 1] = ranking[found]
        return rows[number[:, -1] < n]

    def top_n(users: np.ndarray, n: int) -> Retrieved:
        item = np.full((len(users), n), -1, dtype=np.int32)
        waiting, depth = np.arange(len(users)), 0
        with ThreadPoolExecutor(n_threads) as threads:
            while len(waiting) and depth < len(ranking):
                depth = min(4 * depth or 2 * n, len(ranking))
                fill_block = partial(fill, users, n, item)
                short = threads.map(fill_block, blocks(waiting, len(ranking)), repeat(depth))
                waiting = np.concatenate(list(short))
        return Retrieved(item, np.where(item < 0, np.nan, scores[item]).astype(np.float32))

    return top_n


def by_scores(
    score: Callable[[slice], np.ndarray | sparse.csr_matrix],
    exposures: sparse.csr_array,
    users: np.ndarray,
    n: int,
    n_threads: int,
) -> Retrieved:
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
        scores[row_of_entry(seen), seen.indices] = -np.inf
        row, place, item = largest(scores, n)
        return _padded(len(rows), n, row, place, item, scores[row, item])

    with ThreadPoolExecutor(n_threads) as threads:
        parts = list(threads.map(best_of, blocks(np.arange(len(users)), n_items)))
    if not parts:
        return Retrieved(np.empty((0, n), np.int32), np.empty((0, n), np.float32))
    return Retrieved(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _best_stored(
    scores: sparse.csr_matrix, seen: sparse.csr_array, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same from the stored scores alone, moved together to the left."""
    scores.sort_indices()
    row = row_of_entry(scores)
    place = np.arange(scores.nnz) - scores.indptr[row]
    is_seen = np.zeros(scores.shape, dtype=bool)
    is_seen[row_of_entry(seen), seen.indices] = True
    is_usable = (scores.data > 0) & ~is_seen[row, scores.indices]
    width = int(np.diff(scores.indptr).max(initial=0))
    stored = np.full((scores.shape[0], width), -np.inf, dtype=np.float32)
    stored[row[is_usable], place[is_usable]] = scores.data[is_usable]
    row, place, column = largest(stored, n)
    item = scores.indices[scores.indptr[row] + column]
    return _padded(len(stored), n, row, place, item, stored[row, column])


def row_of_entry(matrix: sparse.csr_array) -> np.ndarray:
    """int32: the row of every stored entry."""
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))


def _padded(
    n_users: int, n: int, row: np.ndarray, place: np.ndarray, item: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """item and score as in Retrieved."""
    items = np.full((n_users, n), -1, dtype=np.int32)
    scores = np.full((n_users, n), np.nan, dtype=np.float32)
    items[row, place], scores[row, place] = item, score
    return items, scores


def by_vectors(
    served: History,
    vectors_of: Callable[[np.ndarray], np.ndarray],
    items: np.ndarray,
    n_threads: int,
) -> TopN:
    """Retrieves by the dot product of the users' and the items' vectors.

    served      what each user has seen
    vectors_of  users -> float32 (len(users), d); items  float32 (n_items, d)
    """
    n_bits = grid_bits(items.shape[1]) // 2
    columns = on_grid(items, n_bits).T

    def top_n(users: np.ndarray, n: int) -> Retrieved:
        vectors = on_grid(vectors_of(users), n_bits)
        return by_scores(
            lambda rows: (vectors[rows] @ columns).astype(np.float32),
            served.exposures,
            users,
            n,
            n_threads,
        )

    return top_n
