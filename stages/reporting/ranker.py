"""Ranks and feature contributions of the ranker for some users of a judged fold."""

from dataclasses import dataclass

from core import candidate_lists
from core.history import History
from core.lists import Lists

import numpy as np
import pandas as pd

from families import families_of, feature_matrix, load_params
from families.context import load_context, rows_of
from rankers import trained
from rankers.trained import lgb

CONTENDERS = 10  # number of best candidates of each list whose contributions are averaged


@dataclass(frozen=True)
class RankedLists(Lists):
    """Candidate lists of warm users, and the models that rank them."""

    user: np.ndarray  # int32 (n_rows,): rows of users.parquet
    item: np.ndarray  # int32 (n_rows,): rows of items.parquet
    rank: dict[str, np.ndarray]  # als, hybrid -> int (n_rows,), 1 is best, 0: not retrieved by ALS
    values: np.ndarray  # float32 (n_rows, n_features)
    family_of: dict[str, str]  # name of each column of the values -> its family
    models: list[lgb.Booster]
    n_threads: int

    def contributions(self, rows: np.ndarray) -> pd.DataFrame:
        """Return the contribution of each feature to the score of these rows, a column per feature.

        These are SHAP values by LightGBM (Lundberg et al. 2020), as slow as 100 predictions.
        """
        values = np.ascontiguousarray(self.values[rows])
        of_shap = {"pred_contrib": True, "num_threads": self.n_threads}
        added = np.mean([model.predict(values, **of_shap) for model in self.models], axis=0)
        return pd.DataFrame(added[:, :-1], columns=list(self.family_of))


def ranked_lists(fold: str, history: History, users: np.ndarray, n_threads: int) -> RankedLists:
    """Rank the candidates of these warm users. users: rows of users.parquet"""
    blocks = [block.take(np.isin(block.user, users)) for block in candidate_lists.read(fold)]
    lists = candidate_lists.concatenate(blocks)
    params, models = load_params(trained.FOLDER), trained.load(fold)
    context, rows = load_context(history, params), rows_of(lists, history)
    families = families_of(context, params.groups)
    values = feature_matrix(families, rows).values
    score = pd.Series(trained.predict(models, values, n_threads).mean(axis=0))
    rank = score.groupby(lists.list_of_row).rank(method="first", ascending=False)
    return RankedLists(
        user=lists.user,
        item=lists.item,
        rank={"als": lists.rank["als"], "hybrid": rank.to_numpy(np.int64)},
        values=values,
        family_of={column: name for name, family in families.items() for column in family(rows)},
        models=models,
        n_threads=n_threads,
    )


def family_contributions(lists: RankedLists, users: np.ndarray) -> pd.Series:
    """Return the mean |contribution| of each family to scores of the best candidates, sorted.

    The best candidates are CONTENDERS items of each user. The mean over the best candidates of a
    list is subtracted first, because a contribution that is equal for all items changes no rank.
    """
    rows = np.flatnonzero(np.isin(lists.user, users) & (lists.rank["hybrid"] <= CONTENDERS))
    added = lists.contributions(rows).T.groupby(lists.family_of, sort=False).sum().T
    means = added.groupby(lists.user[rows]).transform("mean")
    return (added - means).abs().mean().sort_values(ascending=False, kind="stable")
