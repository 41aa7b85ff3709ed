"""Number of exposures and positives of a user, overall and recently."""

import numpy as np

from families.columns import float32
from families.context import Context, FamilyOfFold


def activity(context: Context) -> FamilyOfFold:
    """For the user: log(1 + E), log(1 + P) and smoothed rate, each overall and recent; number of
    windows since the last exposure; number of windows with exposures. Notation: context.py.
    """
    shown, likes = context.user_counts
    recent = context.n_recent
    exposures, positives = shown.sum(axis=1), likes.sum(axis=1)
    recent_exposures, recent_positives = (m[:, -recent:].sum(axis=1) for m in (shown, likes))
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
