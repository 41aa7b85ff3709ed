"""Scores of candidates: the same for the users of a fold as for new ones."""

from dataclasses import dataclass

from core.candidate_lists import Candidates
from core.history import History

import numpy as np
from scipy.linalg import hadamard

from families import feature_matrix
from families.context import FamilyOfFold, rows_of
from rankers import trained as models
from rankers.lean_lightgbm import lightgbm as lgb


@dataclass(frozen=True)
class Scorer:
    """What ranks the lists of warm or of cold users."""

    boosters: list[lgb.Booster]  # none where lists stay as they are
    families: dict[str, FamilyOfFold]  # the features that the models read
    served: History  # of the users of the lists


def scores(lists: Candidates, warm: Scorer, cold: Scorer, n_threads: int) -> np.ndarray:
    """Return each model's score of each row, float64 (n_models, n_rows): 1 / place in the list for
    cold users if they have no models.
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


def ensembles(score: np.ndarray) -> list[np.ndarray]:
    """The mean score of each row, float64 (n_rows,): over all models, then over each half of them.
    Rankings differ between halves as much as between ensembles of n_models with other seeds, since
    any two halves share half of their models, or none (balanced half-samples: McCarthy 1969). One
    model has no halves.

    score  float64 (n_models, n_rows): of each model; up to 8 groups of them are halved
    """
    n_models = len(score)
    n_groups = 2 ** min(3, n_models.bit_length() - 1)
    first = hadamard(n_groups)[1:, np.arange(n_models) % n_groups] > 0  # (n_groups - 1, n_models)
    return [score.mean(axis=0), *(score[half].mean(axis=0) for half in (*first, *~first))]
