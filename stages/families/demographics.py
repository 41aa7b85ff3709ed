"""How an item fares with users of the same age, gender, …"""

import numpy as np

from families.columns import codes, is_category
from families.context import Context, FamilyOfFold
from families.levels import levels


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
    s = context.params.smoothing
    total = context.item_counts[1].sum(axis=1)
    is_categorical = is_category(context.users[name])
    lowest, counts = context.positives_by_level(name)
    share = counts.sum(axis=1, keepdims=True) / max(counts.sum(), 1)
    smoothed = (counts + s * share) / (total + s)
    by_level = np.log(np.maximum(smoothed, 1e-9) / np.maximum(share, 1e-9))
    served = codes(context.served.metadata[name])
    return levels(served, lowest, is_categorical), by_level
