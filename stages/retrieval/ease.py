"""EASE (Steck 2019, Embarrassingly Shallow Autoencoders) as a source."""

from harness.params import Strict

import numpy as np
from pydantic import Field
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from folds.candidate_lists import Retrieved
from retrieval.popular import popularity
from retrieval.source import Inputs, TopN
from retrieval.top_n import blocks, by_scores, grid_bits, on_grid

DENSE_SHARE = 0.1  # BLAS takes about 1/10 of a sparse product's time for an addition


class EaseParams(Strict):
    """A full item-item matrix in closed form: O(n_items^3) time, O(n_items^2) memory."""

    l2: float = Field(gt=0)  # ridge weight, lambda in the paper
    max_items: int = Field(ge=1)  # larger catalogues: refused for candidates, cut for a baseline


def ease(inputs: Inputs, params: EaseParams) -> TopN:
    """The user's row of positives times the weights of EASE; only the max_items most popular items
    are known to it.
    """
    history, n_threads = inputs.history, inputs.n_threads
    items = most_popular(popularity(history), params.max_items)
    positives, exposures = history.positives[:, items], history.exposures[:, items]
    weights = ease_weights(positives, params.l2, n_threads)
    is_dense = positives.nnz > DENSE_SHARE * np.prod(positives.shape)

    def top_n(users: np.ndarray, n: int) -> Retrieved:
        rows_of_users = positives[users].astype(np.float64)

        def score(rows: slice) -> np.ndarray:
            block = rows_of_users[rows]
            return ((block.toarray() if is_dense else block) @ weights).astype(np.float32)

        found = by_scores(score, exposures, users, n, n_threads)
        item = np.where(found.item < 0, -1, items[found.item]).astype(np.int32)
        return Retrieved(item, found.score)

    return top_n


def most_popular(popularity: np.ndarray, max_items: int) -> np.ndarray:
    """The items with most positives, ties by index: int64 (<= max_items,), ascending."""
    order = np.lexsort((np.arange(len(popularity)), -popularity))
    return np.sort(order[:max_items])


def ease_weights(positives: sparse.csr_array, l2: float, n_threads: int) -> np.ndarray:
    """The item-item weights, equation 8 of the paper: P = (X'X + l2 I)^-1, B = -P / diag(P),
    diag(B) = 0.

    float64 (n_items, n_items), on a grid, so that sums of them are exact.
    """
    gram = co_occurrence(positives, n_threads)
    gram[np.diag_indices_from(gram)] += l2
    precision = linalg.inv(gram, overwrite_a=True, check_finite=False, assume_a="pos")
    weights = precision / -np.diag(precision)
    np.fill_diagonal(weights, 0)
    return on_grid(weights, grid_bits(len(weights)) - 1, axis=0)  # a positive takes one bit


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
        for users in blocks(np.arange(n_users), n_items // 8 + 1):  # few: gram is read in each
            block = positives[users].toarray()
            gram += block.T @ block
    return gram
