"""Judges top-k lists: those of each fold against its target, then of all folds of a kind together.

A list is a user in a judged fold who has a relevant item in its target window. A user can stand in
several folds, so a bootstrap draws users, each with all their lists.
"""

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evaluation import metrics
from evaluation.top_lists import TopLists, concatenate, top_k
from folds import candidate_lists, tables
from folds.candidate_lists import Candidates
from folds.history import History, Target

HEAD = 0.1  # share of the catalogue, by positives in the history, that counts as popular


@dataclass(frozen=True)
class Judged:
    """The lists of a fold, or of several folds one after the other, and the hits of every model.

    user         int32 (n_lists,): rows of users.parquet, ascending within a fold
    n_positives  int64 (n_lists,): in the history of the list's fold; 0 for a cold user
    n_relevant   int64 (n_lists,), at least 1: relevant items
    n_known      int64 (n_lists,): relevant items that the history knows
    n_popular    int64 (n_lists,): relevant items among the HEAD of the catalogue
    n_candidates, n_found, n_found_by_als  int64 (n_lists,): candidates; relevant items among them,
                 and among the first 100 of ALS
    hits         model -> bool (n_lists, k): whether the item at each rank is relevant; ALS and the
                 hybrid first, then the baselines
    popular_hits the same where the item is also of the HEAD
    single_hits  number -> bool (n_lists, k): hits of each single model of the hybrid
    coverage     all, warm or cold -> model -> share of the fold's items that stand in some list, of
                 several folds the mean; `all` are the lists of every user served, judged or not
    n_items      items that the history knows, of several folds that of the first
    """

    user: np.ndarray
    n_positives: np.ndarray
    n_relevant: np.ndarray
    n_known: np.ndarray
    n_popular: np.ndarray
    n_candidates: np.ndarray
    n_found: np.ndarray
    n_found_by_als: np.ndarray
    hits: dict[str, np.ndarray]
    popular_hits: dict[str, np.ndarray]
    single_hits: dict[str, np.ndarray]
    coverage: dict[str, dict[str, float]]
    n_items: int

    @property
    def is_cold(self) -> np.ndarray:
        """bool (n_lists,)."""
        return self.n_positives == 0

    @property
    def baselines(self) -> list[str]:
        """The models that are neither ALS nor the hybrid."""
        return [name for name in self.hits if name not in ("als", "hybrid")]

    def ap(self, model: str) -> np.ndarray:
        """AP@k of every list, float64 (n_lists,)."""
        return metrics.average_precision(self.hits[model], self.n_relevant)

    def of_users(self, group: str) -> "Judged":
        """The lists of `warm` or of `cold` users."""
        is_in = self.is_cold if group == "cold" else ~self.is_cold
        coverage = dict.fromkeys(("all", group), self.coverage[group])
        return _joined([self], is_in, {"coverage": coverage, "n_items": self.n_items})


@dataclass(frozen=True)
class CandidateCounts:
    """What the candidates of each judged user hold: see Judged."""

    n_candidates: np.ndarray
    n_found: np.ndarray
    n_found_by_als: np.ndarray


def judge(
    history: History,
    target: Target,
    models: dict[str, TopLists],
    single: list[TopLists],
    counts: CandidateCounts,
    k: int,
    is_popular: np.ndarray | None = None,
) -> Judged:
    """The lists of one fold.

    models  the lists of ALS and the hybrid first, then of the baselines; single  those of each
    single model of the hybrid; is_popular  what popular_items() says, where the history is not all
    of the fold's
    """
    users, n_relevant = np.unique(target.user, return_counts=True)
    row = np.searchsorted(users, target.user)
    item = history.item_of(target.item)
    if is_popular is None:
        is_popular = popular_items(history)
    is_popular = is_popular[item] & (item >= 0)
    popular = Target(
        target.users, target.user[is_popular], target.item[is_popular], target.strength[is_popular]
    )
    n_positives = history.n_positives_of(users)
    groups = {"all": None, "warm": users[n_positives > 0], "cold": users[n_positives == 0]}
    return Judged(
        user=users,
        n_positives=n_positives,
        n_relevant=n_relevant,
        n_known=np.bincount(row[item >= 0], minlength=len(users)),
        n_popular=np.bincount(row[is_popular], minlength=len(users)),
        n_candidates=counts.n_candidates,
        n_found=counts.n_found,
        n_found_by_als=counts.n_found_by_als,
        hits={name: lists.hits(target, users, k) for name, lists in models.items()},
        popular_hits={name: lists.hits(popular, users, k) for name, lists in models.items()},
        single_hits={
            str(number): lists.hits(target, users, k) for number, lists in enumerate(single)
        },
        coverage={
            name: {model: coverage(lists, of, history.n_items) for model, lists in models.items()}
            for name, of in groups.items()
        },
        n_items=history.n_items,
    )


def popular_items(history: History) -> np.ndarray:
    """bool (n_items,): the HEAD of the items with a positive, and those as popular as its last."""
    return head(np.bincount(history.positives.indices, minlength=history.n_items))


def head(popularity: np.ndarray) -> np.ndarray:
    """The same, from the number of positives of each item."""
    n_head = max(1, int(HEAD * (popularity > 0).sum()))
    return popularity >= np.sort(popularity)[-n_head]


def coverage(lists: TopLists, users: np.ndarray | None, n_items: int) -> float:
    """The share of the items that stand in some list of these users, or, for None, of all."""
    items = lists.item if users is None else lists.item[np.isin(lists.user, users)]
    return len(np.unique(items)) / n_items


def als_ranks(lists: Candidates) -> np.ndarray:
    """The rank that ALS gives each candidate, 0 for none; a cold user's lists are as served."""
    start = np.repeat(lists.starts, lists.group)
    place = np.arange(len(start)) - start + 1
    return np.where(lists.is_retrieved, lists.rank["als"], place)


def als_top(lists: Candidates, k: int) -> TopLists:
    """The top k of ALS alone, of candidate lists."""
    rank = als_ranks(lists)
    by_als = rank > 0
    return top_k(lists.user[by_als], lists.item[by_als], -rank[by_als], k)


def als_lists_and_counts(fold: str, target: Target, k: int) -> tuple[TopLists, CandidateCounts]:
    """The top k of ALS alone for every user served, and what the candidates of the judged hold."""
    users = np.unique(target.user)
    tops, counts = [], np.zeros((3, len(users)), dtype=np.int64)
    for lists in candidate_lists.read(fold):
        tops.append(als_top(lists, k))
        counts += candidate_counts(lists, target, users)
    return concatenate(tops), CandidateCounts(*counts)


def candidate_counts(lists: Candidates, target: Target, users: np.ndarray) -> np.ndarray:
    """The three fields of CandidateCounts of these users, ascending: int64 (3, n_users)."""
    als_rank = als_ranks(lists)
    row = np.searchsorted(users, lists.user)
    if not len(users):
        return np.zeros((3, 0), dtype=np.int64)
    row[row == len(users)] = 0
    is_judged = users[row] == lists.user
    is_relevant = is_judged & (target.strength_of(lists.user, lists.item) > 0)
    is_early = is_relevant & (als_rank > 0) & (als_rank <= 100)
    counted = (is_judged, is_relevant, is_early)
    return np.stack([np.bincount(row[rows], minlength=len(users)) for rows in counted])


def recommended_lists(fold: str, user_ids: pa.ChunkedArray, item_ids: pa.ChunkedArray) -> TopLists:
    """The published file, with ids turned back into rows of users.parquet and items.parquet."""
    table = pq.read_table(tables.RECOMMENDATIONS.format(fold=fold))
    user, item = (
        pc.index_in(table[name], ids.combine_chunks()).to_numpy().astype(np.int32)
        for name, ids in (("user_id", user_ids), ("item_id", item_ids))
    )
    return TopLists(user, item, table["rank"].to_numpy(), table["score"].to_numpy())


def pool(judged: list[Judged]) -> Judged:
    """The lists of several folds, one fold after the other."""
    coverage = {
        group: {
            model: float(np.mean([one.coverage[group][model] for one in judged]))
            for model in models
        }
        for group, models in judged[0].coverage.items()
    }
    return _joined(judged, slice(None), {"coverage": coverage, "n_items": judged[0].n_items})


def _joined(judged: list[Judged], rows: np.ndarray | slice, own: dict[str, object]) -> Judged:
    """These lists of all of `judged`, one after the other; `own`: the fields that are no arrays."""

    def join(values: list) -> np.ndarray | dict[str, np.ndarray]:
        if isinstance(values[0], np.ndarray):
            return np.concatenate([of[rows] for of in values])
        return {model: join([of[model] for of in values]) for model in values[0]}

    names = [field.name for field in fields(Judged) if field.name not in own]
    return Judged(**{name: join([getattr(one, name) for one in judged]) for name in names}, **own)
