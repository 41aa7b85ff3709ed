"""EASE (Steck 2019, Embarrassingly Shallow Autoencoders): both a source of candidates and a family
of features need it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from harness.script import InputError

import numpy as np
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from folds.decay import entry_bits
from folds.products import blocks, grid_bits, on_grid

DENSE_SHARE = 0.1  # BLAS takes about 1/10 of a sparse product's time for an addition
N_BLOCKS = 8  # of a sparse X'X; more save less and less, up to one half


def most_popular(user_item: sparse.csr_array, max_items: int) -> np.ndarray:
    """The items with most entries, ties by index: int64 (<= max_items,), ascending."""
    popularity = np.bincount(user_item.indices, minlength=user_item.shape[1])
    order = np.lexsort((np.arange(len(popularity)), -popularity))
    return np.sort(order[:max_items])


def ease_scores(
    user_item: sparse.csr_array, l2: float, n_threads: int, served: sparse.csr_array | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """EASE fitted on a matrix of ones, or of weights of folds.decay: a function of users, int (n,),
    that gives their rows times the weights of EASE, float32 (n, n_items).

    served  what the users are rows of, if not of the matrix it is fitted on
    """
    weights = ease_weights(user_item, l2, n_threads)
    return scores_by(weights, user_item if served is None else served)


def scores_by(weights: np.ndarray, served: sparse.csr_array) -> Callable[[np.ndarray], np.ndarray]:
    """The same by weights of EASE that are fitted already."""
    is_dense = served.nnz > DENSE_SHARE * np.prod(served.shape)

    def scores(users: np.ndarray) -> np.ndarray:
        rows = served[users].astype(np.float64)
        return ((rows.toarray() if is_dense else rows) @ weights).astype(np.float32)

    return scores


def ease_weights(user_item: sparse.csr_array, l2: float, n_threads: int) -> np.ndarray:
    """The item-item weights, equation 8 of the paper: P = (X'X + l2 I)^-1, B = -P / diag(P),
    diag(B) = 0.

    float64 (n_items, n_items), on a grid, so that sums of them are exact.
    """
    return weights_of_gram(co_occurrence(user_item, n_threads), l2, entry_bits(user_item))


def weights_of_gram(gram: np.ndarray, l2: float, n_bits: int) -> np.ndarray:
    """The same from X'X, which is overwritten; n_bits: those of an entry of X, see entry_bits."""
    gram[np.diag_indices_from(gram)] += l2
    try:
        precision = linalg.inv(gram, overwrite_a=True, check_finite=False, assume_a="pos")
    except linalg.LinAlgError:
        raise InputError(
            f"params.yaml: an l2 of EASE is {l2}: too little for these {len(gram)} items, whose"
            " matrix it leaves singular; raise it"
        ) from None
    weights = precision / -np.diag(precision)
    np.fill_diagonal(weights, 0)
    return on_grid(weights, grid_bits(len(weights)) - n_bits, axis=0)


def co_occurrence(user_item: sparse.csr_array, n_threads: int) -> np.ndarray:
    """X'X, float32 (n_items, n_items): exact sums, so the same whichever way they are added up;
    float32 holds counts, and float64 sums of products of weights, which are rounded at the end.

    The sparse product's time grows with the squares of the users' numbers of entries, the dense
    one's with that of the number of items, but each addition takes about 1/200 of the time. Of
    both only one half is computed, since X'X is symmetric.
    """
    n_users, n_items = user_item.shape
    user_item = user_item.astype(np.float32 if entry_bits(user_item) == 1 else np.float64)
    squares = (np.diff(user_item.indptr).astype(np.float64) ** 2).sum()
    if squares < 0.005 * n_users * n_items**2:
        return sparse_co_occurrence(user_item, n_threads).astype(np.float32, copy=False)
    gram = np.zeros((n_items, n_items), dtype=user_item.dtype)
    with threadpool_limits(n_threads, "blas"):
        for users in blocks(np.arange(n_users), n_items // 8 + 1):  # few: gram is read in each
            block = user_item[users].toarray()
            gram += block.T @ block
    return gram.astype(np.float32, copy=False)


def sparse_co_occurrence(user_item: sparse.csr_array, n_threads: int) -> np.ndarray:
    """X'X by a sparse product, of the matrix's dtype: blocks of rows up to the diagonal, side by
    side.
    """
    n_items = user_item.shape[1]
    item_user, by_item = user_item.T.tocsr(), user_item.tocsc()
    entries = np.linspace(0, user_item.nnz, N_BLOCKS + 1)
    edges = np.unique([0, *np.searchsorted(by_item.indptr, entries[1:-1]), n_items])
    gram = np.zeros((n_items, n_items), dtype=user_item.dtype)

    def fill(first: int, last: int) -> None:
        rows = (item_user[first:last] @ by_item[:, :last].tocsr()).toarray()
        gram[first:last, :last] = rows
        gram[:last, first:last] = rows.T

    with ThreadPoolExecutor(n_threads) as threads:
        list(threads.map(fill, edges[:-1], edges[1:]))
    return gram
