"""EASE (Steck 2019, Embarrassingly Shallow Autoencoders for Sparse Data)."""

import ctypes
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from core.params import Strict
from core.products import blocks, grid_bits, on_grid
from core.script import InputError
from core.weights import HalfLife, decayed, entry_bits

import numpy as np
from pydantic import Field
from scipy import sparse
from scipy.linalg import cython_lapack
from threadpoolctl import threadpool_limits

from models.model import Inputs, Scores

DENSE_SHARE = 0.1  # an addition by BLAS takes about 1/10 of the time in a sparse product
N_BLOCKS = 8  # blocks of a sparse X'X; more blocks hardly save more time


class EaseParams(Strict):
    """Parameters of EASE. It takes O(n_items^3) time and O(n_items^2) memory."""

    of: Literal["positives", "exposures"]  # interactions to fit on and to score users by
    l2: float = Field(ge=1e-3, le=1e12)  # ridge weight, lambda in the paper
    max_items: int = Field(ge=1, le=1_000_000)  # number of items, those with most interactions
    half_life: HalfLife  # half-life of an interaction, in windows


def ease(inputs: Inputs, params: EaseParams) -> Scores:
    """Score the items with most interactions by the user's interactions times EASE's weights."""
    fitted, served = (
        decayed(of, params.of, params.half_life) for of in (inputs.history, inputs.served)
    )
    counts = np.bincount(fitted.indices, minlength=fitted.shape[1])
    items = most_frequent(counts, params.max_items)
    gram = inputs.once(  # shared by settings that differ only in l2
        ("X'X", params.of, params.max_items, params.half_life),
        lambda: co_occurrence(fitted[:, items], inputs.n_threads),
    )
    weights = weights_of_gram(gram.copy(), params.l2, entry_bits(fitted))
    return ease_scores(items, weights, served)


def most_frequent(counts: np.ndarray, most: int) -> np.ndarray:
    """Return the `most` items with the largest counts, ties by index, int64, ascending."""
    return np.sort(np.argsort(-counts, kind="stable")[:most])


def ease_scores(items: np.ndarray, weights: np.ndarray, served: sparse.csr_array) -> Scores:
    """Return a function that scores users by fitted weights; items that EASE lacks get -inf.

    items    int (n,), ascending: the items of EASE
    weights  float64 (n, n), the result of weights_of_gram
    served   CSR (n_users, n_items): the interactions of the users
    """
    n_items, rows_of = served.shape[1], served[:, items]
    is_dense = rows_of.nnz > DENSE_SHARE * np.prod(rows_of.shape)

    def scores(users: np.ndarray) -> np.ndarray:
        rows = rows_of[users].astype(np.float64)
        known = ((rows.toarray() if is_dense else rows) @ weights).astype(np.float32)
        if len(items) == n_items:
            return known
        found = np.full((len(users), n_items), -np.inf, dtype=np.float32)
        found[:, items] = known
        return found

    return scores


def weights_of_gram(gram: np.ndarray, l2: float, n_bits: int) -> np.ndarray:
    """Return the item-item weights B, float64 (n_items, n_items).

    Equation 8 of the paper: P = (X'X + l2 I)^-1, B = -P / diag(P), diag(B) = 0. Weights are rounded
    to a grid, so that sums of them are exact.

    gram    X'X, float32 (n_items, n_items), which is overwritten
    n_bits  bits of an entry of X, see core.weights.entry_bits
    """
    gram[np.diag_indices_from(gram)] += np.float32(l2)
    try:
        invert(gram)
    except np.linalg.LinAlgError:
        raise InputError(
            f"params.yaml: an l2 of EASE is {l2}: too low, the matrix of these {len(gram)} items"
            " stays singular; raise it"
        ) from None
    weights = gram
    weights /= -np.diag(gram)
    np.fill_diagonal(weights, 0)
    return on_grid(weights, grid_bits(len(weights)) - n_bits, axis=0)


def _lapack(name: str) -> ctypes._CFuncPtr:
    """Return a LAPACK routine that releases the GIL, so that inversions run in parallel."""
    capsule, api = cython_lapack.__pyx_capi__[name], ctypes.pythonapi
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", api))
    pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    address = pointer_of(("PyCapsule_GetPointer", api))(capsule, name_of(capsule))
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5)(address)


def invert(matrix: np.ndarray) -> None:
    """Invert a symmetric matrix in place by its Cholesky factor: float32 (n, n), C order.

    Raises LinAlgError if the matrix is not positive definite.
    """
    n, info = ctypes.c_int(len(matrix)), ctypes.c_int(0)
    size, status, triangle = ctypes.byref(n), ctypes.byref(info), ctypes.c_char_p(b"U")
    for routine in ("spotrf", "spotri"):  # Fortran's upper triangle is the lower one in C order
        _lapack(routine)(triangle, size, matrix.ctypes.data, size, status)
        if info.value:
            raise np.linalg.LinAlgError(f"{routine}: {info.value}")
    for rows in blocks(np.arange(len(matrix)), 4 * len(matrix)):
        first, stop = rows[0], rows[-1] + 1
        matrix[first:stop, stop:] = matrix[stop:, first:stop].T
        square = matrix[first:stop, first:stop]
        upper = np.triu_indices(len(rows), 1)
        square[upper] = square.T[upper]


def co_occurrence(user_item: sparse.csr_array, n_threads: int) -> np.ndarray:
    """Return X'X, float32 (n_items, n_items), by a sparse or a dense product, whichever is faster.

    Sums are exact, so they do not depend on the order of additions: counts are added in float32,
    products of weights in float64, which are rounded at the end.

    The time of the sparse product grows with the square of the entries of each user, that of the
    dense product with the square of the number of items, but its additions are 200 times faster.
    """
    n_users, n_items = user_item.shape
    user_item = user_item.astype(np.float32 if entry_bits(user_item) == 1 else np.float64)
    squares = (np.diff(user_item.indptr).astype(np.float64) ** 2).sum()
    if squares < 0.005 * n_users * n_items**2:
        return sparse_co_occurrence(user_item, n_threads).astype(np.float32, copy=False)
    gram = np.zeros((n_items, n_items), dtype=user_item.dtype)
    with threadpool_limits(n_threads, "blas"):
        for users in blocks(np.arange(n_users), n_items // 8 + 1):  # few blocks: each reads gram
            block = user_item[users].toarray()
            gram += block.T @ block
    return gram.astype(np.float32, copy=False)


def sparse_co_occurrence(user_item: sparse.csr_array, n_threads: int) -> np.ndarray:
    """Return X'X by a sparse product, in its dtype, in parallel blocks of rows to the diagonal."""
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
