"""Sample users of a judged fold: what they liked last, what ALS and the hybrid recommend, and why
items moved.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from evaluation.top_lists import TopLists
from findings.explanation import Ranker
from findings.ranked_lists import RankedLists
from folds.history import History, Target

N_SAMPLES, N_LAST, N_REASONS = 6, 5, 3
N_SHOWN = 10  # of each list
FEWEST_PLACES = 3  # a move within the top k that is worth a reason


@dataclass(frozen=True)
class Reason:
    """What a feature adds to the item's score, more (or less) than to those of the items shown."""

    feature: str
    added: float


@dataclass(frozen=True)
class Recommended:
    """An item of a list.

    item     row of items.parquet
    is_hit   relevant in the target window
    other    its rank in the other model's order, 0 where it has none
    reasons  for (or against) it, the strongest first; none where it did not move
    """

    rank: int
    item: int
    is_hit: bool
    other: int
    reasons: list[Reason] = field(default_factory=list)


@dataclass(frozen=True)
class Sample:
    """A user of the fold; items are rows of items.parquet.

    part          of N_SAMPLES equal parts of the lists by gain, which one it is the middle of
    last_liked    the latest first
    n_found       relevant items among the candidates
    """

    user: int
    part: int
    n_positives: int
    n_relevant: int
    n_found: int
    ap_als: float
    ap_hybrid: float
    last_liked: list[int]
    als: list[Recommended]
    hybrid: list[Recommended]


def sample_rows(gain: np.ndarray, seed: int) -> np.ndarray:
    """The lists in the middle of N_SAMPLES equal parts of those with a gain or a loss: int64, rows,
    the largest loss first. Equal ones are in an order drawn by seed. Where fewer than N_SAMPLES
    lists have one, all lists take part.

    gain  float64 (n_lists,)
    """
    order = np.lexsort((np.random.default_rng(seed).random(len(gain)), gain))
    if np.count_nonzero(gain) >= N_SAMPLES:
        order = order[gain[order] != 0]
    n = min(N_SAMPLES, len(order))
    return order[(len(order) * (2 * np.arange(n) + 1)) // (2 * n)] if n else order


def samples(
    chosen: pd.DataFrame,
    history: History,
    target: Target,
    lists: RankedLists,
    ranker: Ranker,
    top: dict[str, TopLists],
    n_threads: int,
) -> list[Sample]:
    """The users of these rows of findings.list_table, in their order.

    lists  those of the chosen users, but for cold ones, are among them; top  als and hybrid
    """
    return [
        _sample(row, number, history, target, lists, ranker, top, n_threads)
        for number, row in enumerate(chosen.itertuples(), start=1)
    ]


def _sample(
    row: tuple,
    part: int,
    history: History,
    target: Target,
    lists: RankedLists,
    ranker: Ranker,
    top: dict[str, TopLists],
    n_threads: int,
) -> Sample:
    rows = np.flatnonzero(lists.user == row.user)
    items = {name: of.item[of.user == row.user][:N_SHOWN] for name, of in top.items()}
    shown = rows[np.isin(lists.item[rows], np.concatenate(list(items.values())))]
    reasons = _reasons(lists, shown, ranker, n_threads)
    rank_of = {
        "als": dict(zip(lists.item[rows].tolist(), lists.als_rank[rows].tolist(), strict=True)),
        "hybrid": dict(zip(lists.item[rows].tolist(), lists.place[rows].tolist(), strict=True)),
    }
    other = {"als": "hybrid", "hybrid": "als"}
    relevant = set(target.item[target.user == row.user].tolist())
    return Sample(
        user=int(row.user),
        part=part,
        n_positives=int(row.n_positives),
        n_relevant=int(row.n_relevant),
        n_found=int(row.n_found),
        ap_als=float(row.ap_als),
        ap_hybrid=float(row.ap_hybrid),
        last_liked=_last_liked(history, row.user),
        **{
            name: [
                _recommended(rank, item, relevant, rank_of[other[name]].get(item, 0), reasons, name)
                for rank, item in enumerate(items[name].tolist(), start=1)
            ]
            for name in ("als", "hybrid")
        },
    )


def _last_liked(history: History, user: int) -> list[int]:
    place = history.user_of(np.array([user]))[0]
    if place < 0:
        return []
    positives = history.positives
    liked = positives.indices[positives.indptr[place] : positives.indptr[place + 1]]
    return history.items[liked[::-1][:N_LAST]].tolist()


def _reasons(
    lists: RankedLists, shown: np.ndarray, ranker: Ranker, n_threads: int
) -> dict[int, list[Reason]]:
    """Item -> every feature, the largest addition first, against the mean of the items shown."""
    if not len(shown):
        return {}
    added = ranker.contributions(np.ascontiguousarray(lists.values[shown]), n_threads)
    added -= added.mean(axis=0)
    result = {}
    for item, values in zip(lists.item[shown].tolist(), added, strict=True):
        order = np.argsort(-values, kind="stable")
        result[item] = [Reason(lists.names[i], float(values[i])) for i in order]
    return result


def _recommended(
    rank: int, item: int, relevant: set[int], other: int, reasons: dict[int, list[Reason]], of: str
) -> Recommended:
    """With reasons where the other order has the item FEWEST_PLACES lower, or not at all: for an
    item of the hybrid, which put it up; against an item of ALS, which the hybrid put down.
    """
    kept = []
    if not other or other - rank >= FEWEST_PLACES:
        every = reasons.get(item, [])
        sign = 1 if of == "hybrid" else -1
        kept = [one for one in every[::sign][:N_REASONS] if one.added * sign > 0]
    return Recommended(rank, item, item in relevant, other, kept)
