"""Scores of candidates: the same for the users of a fold as for new ones."""

from dataclasses import dataclass

from core.candidate_lists import Candidates
from core.history import History

import numpy as np

from families import feature_matrix
from families.context import FamilyOfFold, rows_of
from rankers import trained as models
from rankers.lean_lightgbm import lightgbm as lgb


@dataclass(frozen=True)
class Scorer:
    """What ranks the lists of warm or of cold users.

    boosters  all models; none where lists stay as they are
    families  what the models know of the lists
    served    the history of the users of the lists
    """

    boosters: list[lgb.Booster]
    families: list[FamilyOfFold]
    served: History


def scores(lists: Candidates, warm: Scorer, cold: Scorer, n_threads: int) -> np.ndarray:
    """The score that each model gives each row, float64 (n_models, n_rows); where there are no
    models for cold users, 1 / place in the list in their rows.
    """
    start = np.repeat(lists.starts, lists.group)
    place = np.arange(len(lists.user)) - start + 1
    score = np.tile(1 / place, (len(warm.boosters), 1))
    is_warm = lists.is_retrieved
    for rows, scorer in ((is_warm, warm), (~is_warm, cold)):
        if rows.any() and scorer.boosters:
            features = feature_matrix(scorer.families, rows_of(lists.take(rows), scorer.served))
            score[:, rows] = models.predict(scorer.boosters, features.values, n_threads)
    return score
