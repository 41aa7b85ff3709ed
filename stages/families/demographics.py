"""How an item fares with users of the same age, gender, …"""

import numpy as np
from scipy import sparse

from families.columns import codes, is_category
from families.context import Context, FamilyOfFold


def demographics(context: Context) -> FamilyOfFold:
    """For each column of users.parquet, with g = the user's level of it: log of the item's
    smoothed share of positives from g over the share of all positives from g. Numbers with many
    levels are cut into 8 quantiles; a missing level is a level."""
    lifts = {f"{name}_lift": lift(context, name) for name in context.users}
    return lambda rows: {
        name: by_level[level[rows.user], rows.item].astype(np.float32)
        for name, (level, by_level) in lifts.items()
    }


def lift(context: Context, name: str) -> tuple[np.ndarray, np.ndarray]:
    """By a column of the users: the level of each user served, int (n_users,), and the lift of each
    item at each level, float64 (n_levels, n_items).
    """
    positives, s = context.history.positives, context.params.smoothing
    total = context.item_counts[1].sum(axis=1)
    is_categorical = is_category(context.users[name])
    values, served = codes(context.users[name]), codes(context.served.metadata[name])
    lowest = lowest_of_levels(values, is_categorical)
    level, n_levels = levels(values, lowest, is_categorical), len(lowest) + 1
    one = np.ones(len(level), dtype=np.float32)
    of_level = sparse.csr_array((one, (level, np.arange(len(level)))), shape=(n_levels, len(level)))
    counts = (of_level @ positives).toarray().astype(np.float64)  # of whole numbers: exact
    share = counts.sum(axis=1, keepdims=True) / max(counts.sum(), 1)
    smoothed = (counts + s * share) / (total + s)
    by_level = np.log(np.maximum(smoothed, 1e-9) / np.maximum(share, 1e-9))
    return levels(served, lowest, is_categorical), by_level


def lowest_of_levels(values: np.ndarray, is_categorical: bool, most: int = 32) -> np.ndarray:
    """The lowest value of each level of known values, ascending.

    Numbers with more than `most` distinct values are cut into 8 quantiles.
    """
    values = values[~np.isnan(values)]
    distinct = np.unique(values)
    if len(distinct) > most and not is_categorical:
        return np.unique(np.quantile(values, np.linspace(0, 1, 9)[:-1]))
    return distinct


def levels(values: np.ndarray, lowest: np.ndarray, is_categorical: bool) -> np.ndarray:
    """The level of each value, int (n,), of the levels with these lowest values. One more level is
    that of NaN, and of a category that is none of them.
    """
    level = np.maximum(np.searchsorted(lowest, values, side="right") - 1, 0)
    is_known = np.isin(values, lowest) if is_categorical else ~np.isnan(values)
    return np.where(is_known, level, len(lowest))
