"""What the ranker says of candidates: scores, probabilities, and what each feature adds to a score.
The one module of this package that knows what a model is.
"""

import re
from dataclasses import dataclass

import numpy as np

from boosting import models
from boosting.lean_lightgbm import lightgbm as lgb


@dataclass(frozen=True)
class Ranker:
    """The models of a judged fold, whose mean score orders the candidates."""

    boosters: list[lgb.Booster]

    @property
    def has_probability(self) -> bool:
        """Whether a score is the log-odds that the candidate is relevant."""
        text = self.boosters[0].model_to_string(num_iteration=1)
        return re.search(r"^objective=binary\b", text, re.MULTILINE) is not None

    def score(self, values: np.ndarray, n_threads: int) -> np.ndarray:
        """float64 (n_rows,), higher is better; values float32 (n_rows, n_features)."""
        return models.predict(self.boosters, values, n_threads).mean(axis=0)

    def contributions(self, values: np.ndarray, n_threads: int) -> np.ndarray:
        """What each feature adds to the score, float64 (n_rows, n_features): the rows sum to the
        score less a constant. SHAP values by LightGBM (Lundberg et al. 2020), which take about as
        long as 100 predictions: for few rows.
        """
        added = [
            booster.predict(values, pred_contrib=True, num_threads=n_threads)[:, :-1]
            for booster in self.boosters
        ]
        return np.mean(added, axis=0)


def load(fold: str) -> Ranker:
    """The ranker of a judged fold."""
    return Ranker(models.load(fold, "warm"))


def probability(score: np.ndarray) -> np.ndarray:
    """Of log-odds."""
    return 1 / (1 + np.exp(-score))
