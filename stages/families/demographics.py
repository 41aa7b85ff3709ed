"""How an item fares with users of the same age, gender, …"""

import numpy as np
import pandas as pd
from scipy import sparse

from families.columns import codes, is_category
from families.context import Context, FamilyOfFold


def demographics(context: Context) -> FamilyOfFold:
    """For each column of users.parquet, with g = the user's level of it: log of the item's
    smoothed share of positives from g over the share of all positives from g. Numbers with many
    levels are cut into 8 quantiles; a missing level is a level."""
    lifts = {f"{name}_lift": lift(context, values) for name, values in context.users.items()}
    return lambda rows: {
        name: by_level[level[rows.user], rows.item].astype(np.float32)
        for name, (level, by_level) in lifts.items()
    }


def lift(context: Context, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The level of each user, int (n_users,), and the lift of each item at each level, float64
    (n_levels, n_items).
    """
    positives, s = context.history.positives, context.params.smoothing
    total = context.item_counts[1].sum(axis=1)
    level, n_levels = levels(codes(values), is_category(values))
    one = np.ones(len(level), dtype=np.float32)
    of_level = sparse.csr_array((one, (level, np.arange(len(level)))), shape=(n_levels, len(level)))
    counts = (of_level @ positives).toarray().astype(np.float64)  # of whole numbers: exact
    share = counts.sum(axis=1, keepdims=True) / max(counts.sum(), 1)
    smoothed = (counts + s * share) / (total + s)
    return level, np.log(np.maximum(smoothed, 1e-9) / np.maximum(share, 1e-9))


def levels(values: np.ndarray, is_categorical: bool, most: int = 32) -> tuple[np.ndarray, int]:
    """The level of each value, int (n,), and the number of levels; NaN is the last level.

    Numbers with more than `most` distinct values are cut into 8 quantiles.
    """
    is_known = ~np.isnan(values)
    distinct = np.unique(values[is_known])
    if len(distinct) > most and not is_categorical:
        distinct = np.unique(np.quantile(values[is_known], np.linspace(0, 1, 9)[:-1]))
    level = np.searchsorted(distinct, values, side="right") - 1
    return np.where(is_known, level, len(distinct)), len(distinct) + 1
