"""Popularity: the same ranking for every user, over the whole history or its last windows."""

from core.history import History
from core.params import Strict

import numpy as np
from pydantic import Field

from models.model import Inputs, NoParams, Ranking


class RecentPopularParams(Strict):
    """Popularity in the last windows. Cold users get the same list."""

    windows: int = Field(ge=1, le=1000)  # last windows of the history that count


def popularity(history: History, windows: int | None = None) -> np.ndarray:
    """Return the number of positives of each item in the last `windows` windows of the history, or
    in all of it: float32 (n_items,).
    """
    item = history.positives.indices
    if windows is not None:
        first = history.n_windows - windows
        item = history.item[history.is_positive & (history.window >= first)]
    return np.bincount(item, minlength=history.n_items).astype(np.float32)


def recent_scores(recent: np.ndarray, overall: np.ndarray) -> np.ndarray:
    """Recent positives; ties, and items without any, are ordered by all positives of the history:
    float64 (n_items,).
    """
    overall = overall.astype(np.float64)
    return recent + overall / (overall.max() + 1)


def recent_popularity(history: History, windows: int) -> np.ndarray:
    """Return the scores of `recent_popular`: float64 (n_items,)."""
    return recent_scores(popularity(history, windows), popularity(history))


def popular(inputs: Inputs, params: NoParams) -> Ranking:
    """Positives in the whole history."""
    return Ranking(popularity(inputs.history))


def recent_popular(inputs: Inputs, params: RecentPopularParams) -> Ranking:
    """Positives in the last windows."""
    return Ranking(recent_popularity(inputs.history, params.windows))
