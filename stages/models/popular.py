"""Popularity: the same ranking for every user, over the whole history or its last windows."""

from core.history import History
from core.params import Strict

import numpy as np
from pydantic import Field

from models.model import Inputs, NoParams, Ranking


class RecentPopularParams(Strict):
    """Parameters of recent popularity, which is also the list of cold users."""

    windows: int = Field(ge=1, le=1000)  # last windows of the history that count


def popularity(history: History) -> np.ndarray:
    """Return the number of positives of each item, float32 (n_items,)."""
    item = history.item[history.is_positive]
    return np.bincount(item, minlength=history.n_items).astype(np.float32)


def recent_scores(recent: np.ndarray, overall: np.ndarray) -> np.ndarray:
    """Return scores by recent positives, and for ties by all positives, float64 (n_items,)."""
    overall = overall.astype(np.float64)
    return recent + overall / (overall.max() + 1)


def popular(inputs: Inputs, params: NoParams) -> Ranking:
    """Score items by positives in the whole history."""
    return Ranking(popularity(inputs.history))


def recent_popular(inputs: Inputs, params: RecentPopularParams) -> Ranking:
    """Score items by positives in the last windows."""
    history = inputs.history
    recent = history.since(history.n_windows - params.windows)
    return Ranking(recent_scores(popularity(recent), popularity(history)))
