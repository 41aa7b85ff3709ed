"""Weights of the interactions of a history, by age in windows or by position."""

from typing import Annotated, Literal

from core.history import History

import numpy as np
from pydantic import Field
from scipy import sparse

# windows after which the weight of an entry is halved; 0: all entries have weight 1
HalfLife = Annotated[float, Field(ge=0, le=1e6)]
WEIGHT_BITS = 10  # bits of a weight after the binary point


def decayed(
    history: History, of: Literal["positives", "exposures"], half_life: float
) -> sparse.csr_array:
    """Return history.positives or .exposures, weighted by 2^(-age / half_life) if it is not 0."""
    user_item = getattr(history, of)
    if not half_life:
        return user_item
    window = history.window if of == "exposures" else history.window[history.is_positive]
    weights = weights_by_age(history.n_windows, half_life)[history.n_windows - 1 - window]
    return sparse.csr_array((weights, user_item.indices, user_item.indptr), shape=user_item.shape)


def weights_by_age(n_windows: int, half_life: float) -> np.ndarray:
    """Return 2^(-age / half_life) for the ages 0 to n_windows - 1, float32 (n_windows,).

    Weights are positive multiples of 2^-WEIGHT_BITS, so that float64 sums of products are exact.
    """
    units = [round(2 ** (WEIGHT_BITS - age / half_life)) for age in range(n_windows)]
    return np.ldexp(np.maximum(units, 1).astype(np.float32), -WEIGHT_BITS)


def entry_bits(user_item: sparse.csr_array) -> int:
    """Return the bits of an entry for exact products: 1 in a matrix of ones, more if decayed."""
    return 1 if (user_item.data == 1).all() else 1 + WEIGHT_BITS


def latest(user_item: sparse.csr_array, most: int) -> sparse.csr_array:
    """Return the latest `most` entries of each row, CSR of the same shape. Rows are by time."""
    size = np.minimum(np.diff(user_item.indptr), most)
    indptr = np.concatenate([[0], np.cumsum(size)]).astype(user_item.indptr.dtype)
    kept = np.arange(indptr[-1]) + np.repeat(user_item.indptr[1:] - indptr[1:], size)
    return sparse.csr_array(
        (user_item.data[kept], user_item.indices[kept], indptr), shape=user_item.shape
    )


def by_recency(user_item: sparse.csr_array, most: int) -> sparse.csr_array:
    """Return the latest entries of each row, with float32 values 1 (the latest), 1/2, 1/3, …"""
    last = latest(user_item, most)
    age = np.repeat(last.indptr[1:], np.diff(last.indptr)) - 1 - np.arange(last.nnz)
    last.data = (1 / (1 + age)).astype(np.float32)
    return last
