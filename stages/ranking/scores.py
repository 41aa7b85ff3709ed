"""Scores of candidates: the same for the users of a fold as for new ones."""

import numpy as np

from boosting import models
from families import FamilyOfFold, feature_matrix, rows_of
from folds.candidate_lists import Candidates
from folds.history import History


def scores(
    lists: Candidates,
    served: History,
    families: list[FamilyOfFold],
    boosters: list,
    n_threads: int,
) -> np.ndarray:
    """The score that each model gives each row, float64 (n_models, n_rows); for rows of cold users
    1 / place in the list.

    served  the history of the users of the lists
    """
    start = np.repeat(lists.starts, lists.group)
    place = np.arange(len(lists.user)) - start + 1
    score = np.tile(1 / place, (len(boosters), 1))
    is_warm = lists.is_retrieved
    if is_warm.any():
        features = feature_matrix(families, rows_of(lists.take(is_warm), served))
        score[:, is_warm] = models.predict(boosters, features.values, n_threads)
    return score
