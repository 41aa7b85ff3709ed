"""Number of exposures and positives of an item or a user, overall and recently."""

import numpy as np

from families.columns import float32
from families.context import Context, FamilyOfFold


def popularity(context: Context) -> FamilyOfFold:
    """For the item: log(1 + P), log(1 + E) and smoothed rate, each overall and recent; trends; age.

    One trend is the log of recent positives per window divided by positives per window since the
    first exposure. The other compares the last window with the one before. Age is the number of
    windows since the first exposure, 0 for a new item. Notation: context.py.
    """
    shown, likes = context.item_counts
    n_windows, recent = context.history.n_windows, context.n_recent
    exposures, positives = shown.sum(axis=1), likes.sum(axis=1)
    recent_exposures, recent_positives = (m[:, -recent:].sum(axis=1) for m in (shown, likes))
    last = likes[:, -1]
    before = likes[:, -2] if n_windows > 1 else np.zeros_like(last)
    age = np.where(exposures > 0, n_windows - (shown > 0).argmax(axis=1), 0)
    columns = float32(
        {
            "item_positives": np.log1p(positives),
            "item_exposures": np.log1p(exposures),
            "item_rate": context.smoothed(positives, exposures),
            "item_recent_positives": np.log1p(recent_positives),
            "item_recent_rate": context.smoothed(recent_positives, recent_exposures),
            "item_last_positives": np.log1p(last),
            "item_trend": np.log((recent_positives + 1) / recent)
            - np.log((positives + 1) / np.maximum(age, recent)),
            "item_last_trend": np.log((last + 1) / (before + 1)),
            "item_age_windows": age,
        }
    )
    return lambda rows: {name: values[rows.item] for name, values in columns.items()}


def activity(context: Context) -> FamilyOfFold:
    """For the user: log(1 + E), log(1 + P) and smoothed rate, each overall and recent; number of
    windows since the last exposure; number of windows with exposures. Notation: context.py.
    """
    (shown, likes), recent = context.user_counts, context.n_recent
    exposures, positives = shown.sum(axis=1), likes.sum(axis=1)
    recent_exposures, recent_positives = (m[:, -recent:].sum(axis=1) for m in context.user_counts)
    columns = float32(
        {
            "user_exposures": np.log1p(exposures),
            "user_positives": np.log1p(positives),
            "user_rate": context.smoothed(positives, exposures),
            "user_recent_exposures": np.log1p(recent_exposures),
            "user_recent_rate": context.smoothed(recent_positives, recent_exposures),
            "user_idle_windows": (shown[:, ::-1] > 0).argmax(axis=1) + 1,
            "user_active_windows": (shown > 0).sum(axis=1),
        }
    )
    return lambda rows: {name: values[rows.user] for name, values in columns.items()}
