"""Weights of a history's interactions, by age or by recency."""

from typing import Annotated, Literal

from core.history import History

import numpy as np
from pydantic import Field
from scipy import sparse

# Windows after which an entry counts half; 0 = all entries count alike
HalfLife = Annotated[float, Field(ge=0, le=1e6)]
WEIGHT_BITS = 10  # behind the binary point of a weight


def decayed(
    history: History, of: Literal["positives", "exposures"], half_life: float
) -> sparse.csr_array:
    """Return history.positives or history.exposures, each entry with the weight 2^(-age /
    half_life), where age counts windows, 0 for the latest; without a half-life with the weight 1.
    """
    user_item = getattr(history, of)
    if not half_life:
        return user_item
    window = history.window if of == "exposures" else history.window[history.is_positive]
    weights = weights_by_age(history.n_windows, half_life)[history.n_windows - 1 - window]
    return sparse.csr_array((weights, user_item.indices, user_item.indptr), shape=user_item.shape)


def weights_by_age(n_windows: int, half_life: float) -> np.ndarray:
    """Return 2^(-age / half_life) for the ages 0 to n_windows - 1, float32 (n_windows,): multiples
    of 2^-WEIGHT_BITS, so that float64 sums of products are exact, and at least that.
    """
    units = [round(2 ** (WEIGHT_BITS - age / half_life)) for age in range(n_windows)]
    return np.ldexp(np.maximum(units, 1).astype(np.float32), -WEIGHT_BITS)


def entry_bits(user_item: sparse.csr_array) -> int:
    """Return the bits of an entry in a sum of products: 1 in a matrix of ones, more if decayed."""
    return 1 if (user_item.data == 1).all() else 1 + WEIGHT_BITS


def latest(user_item: sparse.csr_array, most: int) -> sparse.csr_array:
    """Return the latest `most` entries of each row, which are in time order: CSR, same shape."""
    size = np.minimum(np.diff(user_item.indptr), most)
    indptr = np.concatenate([[0], np.cumsum(size)]).astype(user_item.indptr.dtype)
    kept = np.arange(indptr[-1]) + np.repeat(user_item.indptr[1:] - indptr[1:], size)
    return sparse.csr_array(
        (user_item.data[kept], user_item.indices[kept], indptr), shape=user_item.shape
    )


def by_recency(user_item: sparse.csr_array, most: int) -> sparse.csr_array:
    """Return the same with the values 1 / (1 + age), float32, where the last entry has age 0."""
    last = latest(user_item, most)
    age = np.repeat(last.indptr[1:], np.diff(last.indptr)) - 1 - np.arange(last.nnz)
    last.data = (1 / (1 + age)).astype(np.float32)
    return last
