"""Judged lists: hits of the top k of every model in the target window, per fold and pooled.

A list is a user in a judged fold with at least one relevant item in the target window. A user can
have a list in several folds.
"""

from dataclasses import dataclass, fields

from core import candidate_lists, metrics
from core.candidate_lists import Candidates
from core.history import History, Target
from core.top_lists import TopLists, concatenate, top_k

import numpy as np
import pandas as pd
from scipy import sparse

HEAD = 0.1  # share of the items with a positive in the history that counts as popular


@dataclass(frozen=True)
class Judged:
    """The lists of one or more folds, one fold after the other, with the hits of every model.

    Counts are int64 (n_lists,). Hits are model -> bool (n_lists, k): whether the item at each rank
    is relevant. ALS and the hybrid come first, then the baselines.
    """

    user: np.ndarray  # int32 (n_lists,): rows of users.parquet, ascending within a fold
    window: np.ndarray  # the target window of the list's fold
    n_positives: np.ndarray  # positives in the history of the list's fold; 0 for a cold user
    n_relevant: np.ndarray  # relevant items, at least 1
    n_known: np.ndarray  # relevant items that the history contains
    n_popular: np.ndarray  # relevant items in the HEAD by number of positives, including ties
    n_candidates: np.ndarray
    n_found: np.ndarray  # relevant items among the candidates
    n_found_by_als: np.ndarray  # relevant items among the first 100 candidates of ALS
    hits: dict[str, np.ndarray]
    popular_hits: dict[str, np.ndarray]  # hits for relevant items in the HEAD only
    half_hits: dict[str, np.ndarray]  # hits of each half of the hybrid's models, by number
    # for ALS and the hybrid, float64 (n_lists,), see popularity_and_diversity
    popularity: dict[str, np.ndarray]
    diversity: dict[str, np.ndarray]
    # all, warm or cold -> model -> share of the items, including new ones, in at least one list,
    # averaged over folds; `all` includes lists of users without a relevant item
    coverage: dict[str, dict[str, float]]
    n_items: int  # items in the history, of the first fold if there are several

    @property
    def is_cold(self) -> np.ndarray:
        """Which lists belong to cold users, bool (n_lists,)."""
        return self.n_positives == 0

    @property
    def baselines(self) -> list[str]:
        """Names of the models other than ALS and the hybrid."""
        return [name for name in self.hits if name not in ("als", "hybrid")]

    def ap(self, model: str) -> np.ndarray:
        """Return AP@k of every list, float64 (n_lists,)."""
        return metrics.average_precision(self.hits[model], self.n_relevant)

    def warm_and_cold(self) -> dict[str, "Judged"]:
        """Return the lists of warm and of cold users, without empty groups."""
        return {
            group: _joined([self], rows, dict.fromkeys(("all", group), self.coverage[group]))
            for group, rows in (("warm", ~self.is_cold), ("cold", self.is_cold))
            if rows.any()
        }


def judge(
    history: History,
    target: Target,
    models: dict[str, TopLists],
    halves: list[TopLists],
    counts: np.ndarray,
    k: int,
    vectors: np.ndarray | None = None,
    positives: np.ndarray | None = None,
) -> Judged:
    """Return the judged lists of one fold.

    models     lists of ALS and the hybrid, then of the baselines
    halves     lists of the hybrid by each half of its models, for seed_sd; may be empty
    counts     the result of candidate_counts
    vectors    float32 (n_items, d), embeddings of length 1 or 0. Without them, popularity and
               diversity are left out
    positives  int (n_items,), needed if `history` is only a part of the fold's history
    """
    users, n_relevant = np.unique(target.user, return_counts=True)
    row = np.searchsorted(users, target.user)
    item = history.item_of(target.item)
    # a part of a history has no new items, but does not have every exposure either
    is_known = history.is_known if positives is None else np.ones(history.n_items, dtype=bool)
    if positives is None:
        positives = np.bincount(history.positives.indices, minlength=history.n_items)
    n_head = max(1, int(HEAD * (positives > 0).sum()))
    is_popular = (positives >= np.sort(positives)[-n_head])[item] & (item >= 0)
    pairs = (of[is_popular] for of in (target.user, target.item, target.strength))
    popular = Target(target.users, *pairs)
    n_positives = history.n_positives_of(users)
    looks = {}
    if vectors is not None:
        of_all = users, history, percentiles(positives, is_known), vectors
        looks = {n: popularity_and_diversity(models[n], *of_all) for n in ("als", "hybrid")}
    warm, cold = users[n_positives > 0], users[n_positives == 0]
    groups = {"all": target.users, "warm": warm, "cold": cold}
    return Judged(
        user=users,
        window=np.full(len(users), history.n_windows),
        n_positives=n_positives,
        n_relevant=n_relevant,
        n_known=np.bincount(row[np.append(is_known, False)[item]], minlength=len(users)),
        n_popular=np.bincount(row[is_popular], minlength=len(users)),
        n_candidates=counts[0],
        n_found=counts[1],
        n_found_by_als=counts[2],
        hits={name: lists.hits(target, users, k) for name, lists in models.items()},
        popular_hits={name: lists.hits(popular, users, k) for name, lists in models.items()},
        half_hits={str(n): lists.hits(target, users, k) for n, lists in enumerate(halves)},
        popularity={name: of for name, (of, _) in looks.items()},
        diversity={name: of for name, (_, of) in looks.items()},
        coverage={
            group: {
                model: len(np.unique(lists.item[np.isin(lists.user, of)])) / history.n_items
                for model, lists in models.items()
            }
            for group, of in groups.items()
        },
        n_items=int(np.count_nonzero(is_known)),
    )


def percentiles(positives: np.ndarray, is_known: np.ndarray) -> np.ndarray:
    """Return the popularity percentile of each item, float64 (n_items,).

    It is the rank by positives among the known items, divided by their number: 1 is the most
    popular item, ties have the mean of their ranks, and new items have 0. Source: MeanPopRank of
    LensKit, with another scale.

    positives  int (n_items,), in the fold's history; is_known  bool (n_items,), as in History
    """
    found = np.zeros(len(positives))
    found[is_known] = pd.Series(positives[is_known]).rank(pct=True)
    return found


def popularity_and_diversity(
    top: TopLists, users: np.ndarray, history: History, percentile: np.ndarray, vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean percentile of the items of each user's list, and 1 minus the mean cosine of
    all pairs of its items.

    Both are float64 (n_users,), NaN without an item, or without two items that have a vector.

    users    rows of users.parquet, ascending
    vectors  float (n_items, d), rows of length 1 or 0; all items of the lists are in history.items
    """
    rows = np.flatnonzero(np.isin(top.user, users))
    place = np.searchsorted(users, top.user[rows]), history.item_of(top.item[rows])
    shape = len(users), history.n_items
    matrix = sparse.csr_array((np.ones(len(rows)), place), shape=shape)
    n = matrix @ (np.abs(vectors).sum(axis=1) > 0)
    total = matrix @ vectors.astype(np.float64)  # |sum|^2 = n + sum of the cosines of all pairs
    with np.errstate(invalid="ignore", divide="ignore"):
        diversity = np.where(n > 1, 1 - ((total**2).sum(axis=1) - n) / (n * (n - 1)), np.nan)
        return (matrix @ percentile) / np.diff(matrix.indptr), diversity


def als_ranks(lists: Candidates) -> np.ndarray:
    """Return the ALS rank of each candidate, 0 if not retrieved; for cold users, its position."""
    start = np.repeat(lists.starts, lists.group)
    place = np.arange(len(start)) - start + 1
    return np.where(lists.is_retrieved, lists.rank["als"], place)


def als_top(lists: Candidates, k: int) -> TopLists:
    """Return the top k of ALS alone from candidate lists."""
    rank = als_ranks(lists)
    by_als = rank > 0
    return top_k(lists.user[by_als], lists.item[by_als], -rank[by_als], k)


def als_lists_and_counts(fold: str, target: Target, k: int) -> tuple[TopLists, np.ndarray]:
    """Return the top k of ALS for every user, and the candidate counts of the judged users."""
    users = np.unique(target.user)
    tops, counts = [], np.zeros((3, len(users)), dtype=np.int64)
    for lists in candidate_lists.read(fold):
        tops.append(als_top(lists, k))
        counts += candidate_counts(lists, target, users)
    return concatenate(tops), counts


def candidate_counts(lists: Candidates, target: Target, users: np.ndarray) -> np.ndarray:
    """Return n_candidates, n_found and n_found_by_als, int64 (3, n_users), as in Judged.

    users  rows of users.parquet, ascending
    """
    als_rank = als_ranks(lists)
    row, is_judged = np.searchsorted(users, lists.user), np.isin(lists.user, users)
    is_relevant = is_judged & (target.strength_of(lists.user, lists.item) > 0)
    is_early = is_relevant & (als_rank > 0) & (als_rank <= 100)
    counted = (is_judged, is_relevant, is_early)
    return np.stack([np.bincount(row[rows], minlength=len(users)) for rows in counted])


def pool(judged: list[Judged]) -> Judged:
    """Return the lists of several folds, one fold after the other."""
    coverage = {
        group: {m: float(np.mean([one.coverage[group][m] for one in judged])) for m in models}
        for group, models in judged[0].coverage.items()
    }
    return _joined(judged, slice(None), coverage)


def _joined(judged: list[Judged], rows: np.ndarray | slice, coverage: dict[str, dict]) -> Judged:
    """Concatenate these rows of each of `judged`."""

    def join(values: list) -> np.ndarray | dict[str, np.ndarray]:
        if isinstance(values[0], np.ndarray):
            return np.concatenate([of[rows] for of in values])
        return {model: join([of[model] for of in values]) for model in values[0]}

    names = [field.name for field in fields(Judged)[:-2]]
    columns = {name: join([getattr(one, name) for one in judged]) for name in names}
    return Judged(**columns, coverage=coverage, n_items=judged[0].n_items)
