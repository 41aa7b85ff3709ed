"""A history's interactions, the older the lighter: what models with a `half_life` are fitted on."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy import sparse

from folds.history import History

# Windows after which an entry counts half; 0 = all entries count alike
HalfLife = Annotated[float, Field(ge=0, le=1e6)]
WEIGHT_BITS = 10  # behind the binary point of a weight


def decayed(
    history: History, of: Literal["positives", "exposures"], half_life: float
) -> sparse.csr_array:
    """history.positives or history.exposures, each entry with the weight 2^(-age / half_life)
    instead of 1; without a half-life the very matrix. The age of a pair is counted in windows, 0 in
    the latest one of the history.
    """
    user_item = getattr(history, of)
    if not half_life:
        return user_item
    window = history.window if of == "exposures" else history.window[history.is_positive]
    weights = weights_by_age(history.n_windows, half_life)[history.n_windows - 1 - window]
    return sparse.csr_array((weights, user_item.indices, user_item.indptr), shape=user_item.shape)


def weights_by_age(n_windows: int, half_life: float) -> np.ndarray:
    """2^(-age / half_life) for the ages 0 to n_windows - 1, rounded to multiples of 2^-WEIGHT_BITS
    so that float64 sums of products are exact, and at least that, so that no entry vanishes:
    float32 (n_windows,).
    """
    units = [round(2 ** (WEIGHT_BITS - age / half_life)) for age in range(n_windows)]
    return np.ldexp(np.maximum(units, 1).astype(np.float32), -WEIGHT_BITS)


def entry_bits(user_item: sparse.csr_array) -> int:
    """Bits that an entry takes in a sum of products: 1 in a matrix of ones, more if decayed."""
    return 1 if (user_item.data == 1).all() else 1 + WEIGHT_BITS
