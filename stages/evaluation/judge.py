"""Judges top-k lists of a fold: against its target, against each other, and against the best order
that the candidates could have.
"""

from concurrent.futures import ThreadPoolExecutor

from harness.params import SharedParams

import numpy as np
import pandas as pd

from evaluation import metrics
from evaluation.top_lists import EvaluateParams, TopLists, concatenate, top_k
from folds import candidate_lists
from folds.history import History, Target

# Warm users by number of positives in the history, half-open
SLICES = ((1, 10), (10, 50), (50, 200), (200, None))
HEAD = 0.1  # share of the catalogue, by positives in the history, that counts as popular


class Judge:
    """What the lists of one fold are held against.

    users       int32 (n_users,): rows of users.parquet with a relevant item, ascending
    n_relevant  int64 (n_users,)
    n_positives int64 (n_users,): in the history; 0 for a cold user
    """

    def __init__(self, history: History, target: Target, k: int) -> None:
        self.target, self.k, self.n_items = target, k, history.n_items
        self.users, self.n_relevant = np.unique(target.user, return_counts=True)
        self.n_positives = history.n_positives_of(self.users)

    def hits(self, lists: TopLists) -> np.ndarray:
        """bool (n_users, k)."""
        return lists.hits(self.target, self.users, self.k)

    def ap(self, lists: TopLists) -> np.ndarray:
        """AP@k, float64 (n_users,)."""
        return metrics.average_precision(self.hits(lists), self.n_relevant)

    def metrics(self, lists: TopLists, of: np.ndarray | None = None) -> dict[str, float]:
        """The five metrics over the judged users of the mask `of`. Coverage is over the lists of
        all these users, or, without a mask, over the lists of every user served, judged or not."""
        chosen = np.ones(len(self.users), dtype=bool) if of is None else of
        hits, n_relevant = self.hits(lists)[chosen], self.n_relevant[chosen]
        items = lists.item if of is None else lists.item[np.isin(lists.user, self.users[of])]
        k = self.k
        return {
            f"map@{k}": float(metrics.average_precision(hits, n_relevant).mean()),
            f"ndcg@{k}": float(metrics.ndcg(hits, n_relevant).mean()),
            f"recall@{k}": float(metrics.recall(hits, n_relevant).mean()),
            f"hit_rate@{k}": float(metrics.hit_rate(hits).mean()),
            f"coverage@{k}": len(np.unique(items)) / self.n_items,
        }


def als_lists_and_ceiling(fold: str, judge: Judge) -> tuple[TopLists, dict[str, float]]:
    """The top k of ALS alone, and what the candidate lists of the judged users could give."""
    tops, size, found, als_found = (
        [],
        *(np.zeros(len(judge.users), dtype=np.int64) for _ in range(3)),
    )
    for lists in candidate_lists.read(fold):
        start = np.repeat(lists.starts, lists.group)
        place = np.arange(len(start)) - start + 1
        als_rank = np.where(lists.is_retrieved, lists.rank["als"], place)  # cold: as served
        by_als = als_rank > 0
        tops.append(top_k(lists.user[by_als], lists.item[by_als], -als_rank[by_als], judge.k))
        row = np.searchsorted(judge.users, lists.user)
        row[row == len(judge.users)] = 0
        is_judged = judge.users[row] == lists.user
        is_relevant = is_judged & (judge.target.strength_of(lists.user, lists.item) > 0)
        np.add.at(size, row[is_judged], 1)
        np.add.at(found, row[is_relevant], 1)
        np.add.at(als_found, row[is_relevant & by_als & (als_rank <= 100)], 1)
    oracle = metrics.oracle_average_precision(found, judge.n_relevant, judge.k)
    return concatenate(tops), {
        "size": float(size.mean()),
        "recall": float((found / judge.n_relevant).mean()),
        "als_recall@100": float((als_found / judge.n_relevant).mean()),
        f"oracle_map@{judge.k}": float(oracle.mean()),
    }


def uplift(
    better: np.ndarray, base: np.ndarray, params: EvaluateParams, seed: int
) -> dict[str, float]:
    """Mean AP@k of one model minus another's, float64 (n_users,) each, with the interval of the
    paired bootstrap; relative to the other's mean, 0 where that is 0.
    """
    difference = float(better.mean() - base.mean())
    relative = difference / float(base.mean()) if base.any() else 0.0
    interval = metrics.bootstrap(better - base, params.n_resamples, seed)
    return {f"map@{params.k}": difference, "relative": relative, **interval}


def summary(
    judge: Judge,
    models: dict[str, TopLists],
    candidates: dict,
    params: EvaluateParams,
    shared: SharedParams,
) -> dict:
    """The content of metrics/FOLD.json."""
    k, is_cold = params.k, judge.n_positives == 0
    ap = {name: judge.ap(lists) for name, lists in models.items()}
    best = max(list(models)[2:], key=lambda name: ap[name].mean())
    with ThreadPoolExecutor(shared.n_threads) as threads:  # the bootstrap is most of the stage
        over_als, over_best = threads.map(
            lambda base: uplift(ap["hybrid"], ap[base], params, shared.seed), ("als", best)
        )
    notebook = {
        name: metrics.notebook_average_precision(judge.hits(models[name])).mean()
        for name in ("als", "hybrid")
    }
    result = {
        "n_users": len(judge.users),
        "n_cold_users": int(is_cold.sum()),
        "n_items": judge.n_items,
        **{name: judge.metrics(models[name]) for name in ("als", "hybrid")},
        "candidates": candidates,
        "uplift": over_als,
        "uplift_over_best_baseline": {"name": best, **over_best},
        "notebook": {f"{name}_map@{k}": float(value) for name, value in notebook.items()},
    }
    for name, users in (("warm", ~is_cold), ("cold", is_cold)):
        if users.any():
            result[name] = {
                model: judge.metrics(models[model], users) for model in ("als", "hybrid")
            }
            result[name]["n_users"] = int(users.sum())
    return result


def by_k(judge: Judge, models: dict[str, TopLists]) -> pd.DataFrame:
    """k, and MAP@k of every model."""
    hits = {name: judge.hits(lists) for name, lists in models.items()}
    return pd.DataFrame(
        [
            {
                "k": k,
                **{
                    name: metrics.average_precision(hit[:, :k], judge.n_relevant).mean()
                    for name, hit in hits.items()
                },
            }
            for k in range(1, judge.k + 1)
        ]
    )


def slices(
    fold: str, judge: Judge, models: dict[str, TopLists], popularity: np.ndarray
) -> pd.DataFrame:
    """MAP@k of ALS, the hybrid and the baselines by slice of users, and by slice of relevant items.

    popularity  int64 (rows of items.parquet,): positives in the history. For a slice of items only
    the relevant items in it count, for users who have one.
    """
    rows = []
    masks = {"cold users": judge.n_positives == 0}
    for low, high in SLICES:
        masks[f"{low}-{high - 1} positives" if high else f"{low}+ positives"] = (
            judge.n_positives >= low
        ) & (judge.n_positives < (high or np.inf))
    ap = {name: judge.ap(lists) for name, lists in models.items()}
    for name, mask in masks.items():
        if mask.any():
            rows.append(
                {
                    "slice": name,
                    "n_users": mask.sum(),
                    **{model: ap[model][mask].mean() for model in models},
                }
            )
    n_head = max(1, int(HEAD * (popularity > 0).sum()))
    is_head = popularity >= np.sort(popularity)[-n_head]
    for name, is_in in (("popular items", is_head), ("long-tail items", ~is_head)):
        kept = is_in[judge.target.item]
        if kept.any():
            target = Target(
                judge.target.users,
                judge.target.user[kept],
                judge.target.item[kept],
                judge.target.strength[kept],
            )
            rows.append({"slice": name, **item_slice(target, models, judge.k)})
    return pd.DataFrame(rows).assign(fold=fold)[["fold", "slice", "n_users", *models]]


def item_slice(target: Target, models: dict[str, TopLists], k: int) -> dict:
    """n_users and MAP@k of every model where only the items of `target` are relevant."""
    users, n_relevant = np.unique(target.user, return_counts=True)
    scores = {
        name: metrics.average_precision(lists.hits(target, users, k), n_relevant).mean()
        for name, lists in models.items()
    }
    return {"n_users": len(users), **scores}
