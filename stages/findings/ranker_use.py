"""What the ranker uses, and how reliable its score is, from ranked lists."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from findings.explanation import Ranker, probability
from findings.intervals import Interval, intervals
from findings.ranked_lists import RankedLists

CONTRIBUTION_LISTS, CONTENDERS = 40, 10
N_GROUPS = 10  # of candidates by score


class Calibration(NamedTuple):
    """A tenth of the candidates, by score: the mean of the predicted probability, and the share of
    relevant ones.
    """

    predicted: float
    observed: Interval


def family_contributions(lists: RankedLists, ranker: Ranker, n_threads: int) -> pd.DataFrame:
    """family, within, all: mean |contribution| to the score of the CONTENDERS best candidates of
    the first CONTRIBUTION_LISTS lists, the largest `within` first.

    `all` is as LightGBM gives it. For `within` the mean of the list's contenders is taken off
    first: what is alike for all of a user's items moves none of them.
    """
    first = lists.list_of_row < CONTRIBUTION_LISTS
    rows = np.flatnonzero(first & (lists.place <= CONTENDERS))
    added = ranker.contributions(np.ascontiguousarray(lists.values[rows]), n_threads)
    names = list(dict.fromkeys(lists.family_of.values()))
    number = {name: i for i, name in enumerate(names)}
    family = np.array([number[lists.family_of[name]] for name in lists.names])
    by_family = np.stack([added[:, family == i].sum(axis=1) for i in range(len(names))], axis=1)
    frame = pd.DataFrame(
        {
            "family": names,
            "within": np.abs(centred(by_family, lists.list_of_row[rows])).mean(axis=0),
            "all": np.abs(by_family).mean(axis=0),
        }
    )
    return frame.sort_values("within", ascending=False, kind="stable", ignore_index=True)


def centred(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """float64 (n_rows, n_columns) less the mean of the row's group; group int (n_rows,)."""
    _, group = np.unique(group, return_inverse=True)
    size = np.bincount(group)[:, None]
    total = np.stack([np.bincount(group, column) for column in values.T], axis=1)
    return values - (total / size)[group]


def family_gain(gain: pd.DataFrame, family_of: dict[str, str]) -> pd.DataFrame:
    """family and gain: the shares of metrics/feature_gain.csv summed by family."""
    family = gain["feature"].map(family_of).fillna("other")
    return gain["gain"].groupby(family.rename("family"), sort=False).sum().reset_index()


def calibration(lists: RankedLists, n_resamples: int, seed: int) -> list[Calibration]:
    """Groups of equally many candidates by score, the lowest first; the intervals draw users."""
    predicted = probability(lists.score)
    order = np.argsort(predicted, kind="stable")
    groups = [rows for rows in np.array_split(order, N_GROUPS) if len(rows)]

    def labels() -> Iterator[tuple[str, np.ndarray]]:
        for number, rows in enumerate(groups):
            column = np.full(len(predicted), np.nan)
            column[rows] = lists.label[rows]
            yield str(number), column

    found = intervals(labels(), lists.user, n_resamples, seed)
    return [
        Calibration(float(predicted[rows].mean()), found[str(number)])
        for number, rows in enumerate(groups)
    ]
