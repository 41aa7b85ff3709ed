"""Sources that rank all items alike for everybody: by popularity, of all time or recent."""

from harness.params import Strict

import numpy as np
from pydantic import Field

from folds.history import History
from retrieval.source import Inputs, NoParams, TopN
from retrieval.top_n import by_ranking


class RecentPopularParams(Strict):
    """Popularity in the last windows; also what cold users are served."""

    windows: int = Field(ge=1, le=1000)  # last windows of the history that count


def popularity(history: History, windows: int | None = None) -> np.ndarray:
    """Positives of each item in the last `windows` windows of the history, or in all of it: float32
    (n_items,).
    """
    item = history.positives.indices
    if windows is not None:
        first = history.n_windows - windows
        item = history.item[history.is_positive & (history.window >= first)]
    return np.bincount(item, minlength=history.n_items).astype(np.float32)


def recent_popularity(history: History, windows: int) -> np.ndarray:
    """Recent positives, float64 (n_items,); ties, and items without any, are ordered by all
    positives of the history.
    """
    overall = popularity(history).astype(np.float64)
    return popularity(history, windows) + overall / (overall.max() + 1)


def popular(inputs: Inputs, params: NoParams) -> TopN:
    """Positives in the whole history."""
    return by_ranking(inputs.served, popularity(inputs.history), inputs.n_threads)


def recent_popular(inputs: Inputs, params: RecentPopularParams) -> TopN:
    """Positives in the last windows."""
    scores = recent_popularity(inputs.history, params.windows)
    return by_ranking(inputs.served, scores, inputs.n_threads)
