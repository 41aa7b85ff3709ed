"""Popularity of an item among users of the same age, gender, …"""

import numpy as np

from families.columns import codes, is_category, levels
from families.context import Context, FamilyOfFold


def demographics(context: Context) -> FamilyOfFold:
    """For each column of users.parquet: log of the lift of the item in the user's group g.

    The lift is the item's smoothed share of positives from g, divided by the share of all positives
    from g. Numbers with many levels are cut into 8 quantiles. Unknown values are a group.
    """
    lifts = {f"{name}_lift": lift(context, name) for name in context.users}
    return lambda rows: {
        name: by_level[level[rows.user], rows.item].astype(np.float32)
        for name, (level, by_level) in lifts.items()
    }


def lift(context: Context, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the level of each served user, int (n_users,), and the lift of each item by level.

    The lift is float64 (n_levels, n_items). name  a column of the users
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
