"""Candidate lists of a judged fold as the ranker sees and orders them, of a bounded number of
users.
"""

from dataclasses import dataclass, replace

import numpy as np

from families import FAMILIES, FeaturesParams, feature_matrix, load_context, rows_of
from findings.explanation import Ranker
from folds import candidate_lists
from folds.history import History, Target, draw_users
from folds.lists import Lists


@dataclass(frozen=True)
class RankedLists(Lists):
    """Lists of warm users; a list's rows are contiguous, in the order of the candidates.

    user, item  int32 (n_rows,): rows of users.parquet and items.parquet
    als_rank    int16 (n_rows,): 0 where ALS did not retrieve the item
    label       bool (n_rows,): relevant or not
    values      float32 (n_rows, n_features); names of its columns; family_of each name
    score       float64 (n_rows,)
    """

    user: np.ndarray
    item: np.ndarray
    als_rank: np.ndarray
    label: np.ndarray
    values: np.ndarray
    names: list[str]
    family_of: dict[str, str]
    score: np.ndarray

    def take(self, rows: np.ndarray) -> "RankedLists":
        """The given rows, a mask of whole lists."""
        by_row = ("user", "item", "als_rank", "label", "values", "score")
        return replace(self, **{name: getattr(self, name)[rows] for name in by_row})

    @property
    def place(self) -> np.ndarray:
        """int64 (n_rows,): the rank of each row in its list by score, 1 is best; ties keep the
        order of the candidates.
        """
        list_of_row = self.list_of_row
        order = np.lexsort((-self.score, list_of_row))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order)) - np.repeat(self.starts, self.group) + 1
        return place


def drawn_users(target: Target, history: History, n_users: int, seed: int) -> np.ndarray:
    """At most n_users of the warm users with an interaction in the target window, liked or not."""
    is_warm = history.n_positives_of(target.users) > 0
    return draw_users(target.users[is_warm], n_users, seed)


def ranked_lists(
    fold: str,
    history: History,
    target: Target,
    users: np.ndarray,
    ranker: Ranker,
    params: FeaturesParams,
    n_threads: int,
) -> RankedLists:
    """The lists of these rows of users.parquet; those of cold users are left out."""
    wanted = []
    for block in candidate_lists.read(fold):
        wanted.append(block.take(np.isin(block.user, users) & block.is_retrieved))
    lists = candidate_lists.concatenate(wanted)
    rows = rows_of(lists, history)
    context = load_context(fold, history, params)
    families = {name: FAMILIES[name](context) for name in params.groups}
    features = feature_matrix(list(families.values()), rows)
    none = rows_of(lists.take(slice(0)), history)
    return RankedLists(
        user=lists.user,
        item=lists.item,
        als_rank=lists.rank["als"],
        label=target.strength_of(lists.user, lists.item) > 0,
        values=features.values,
        names=features.names,
        family_of={column: name for name, family in families.items() for column in family(none)},
        score=ranker.score(features.values, n_threads),
    )
