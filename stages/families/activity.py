"""How much a user watches and likes, overall and recently."""

import numpy as np

from families.columns import float32
from families.context import Context, FamilyOfFold


def activity(context: Context) -> FamilyOfFold:
    """Of the user: log(1 + E), log(1 + P), smoothed rate, overall and recent; windows since the
    last exposure; active windows.
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
