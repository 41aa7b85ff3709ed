"""Tables of results in metrics/ and data/per_user, computed from judged lists."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from core import metrics
from core.folds import Folds
from core.history import History, Target
from core.lists import side_by_side
from core.metrics import average_precision
from core.params import SharedParams, kind_of
from core.top_lists import EvaluateParams, TopLists

import numpy as np
import pandas as pd
import pyarrow as pa

from evaluation.bootstrap import bootstrap, seed_variance
from evaluation.judged import Judged

ACTIVITY = {"cold users": 0, "1-9 positives": 9, "10-49 positives": 49, "50-199 positives": 199}
ACTIVITY |= {"200+ positives": np.inf}  # slice of lists -> most positives in the history
NEW = "new"
AGES = {NEW: (0, 0), "1 to 5 interactions": (1, 5), "6 or more interactions": (6, np.inf)}


def to_json(tree: dict) -> str:
    """Return the text of a JSON file. NaN becomes null; an infinite number raises KeyError."""
    tree = json.loads(json.dumps(tree), parse_constant={"NaN": None}.__getitem__)
    return f"{json.dumps(tree, indent=2)}\n"


def read_json(path: str) -> dict:
    """Read a file written by to_json. null becomes NaN."""
    text = Path(path).read_text(encoding="utf-8")
    return json.loads(text.replace(": null", ": NaN"))


def per_user(judged: Judged, user_ids: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return the content of data/per_user/FOLD.parquet; see stages/evaluate.py.

    Without popularity and diversity, the columns after halves_ndcg are left out.
    """
    columns = {
        "user_id": user_ids.take(judged.user),
        "is_cold": judged.is_cold,
        "n_relevant": judged.n_relevant.astype(np.int32),
    }
    columns |= {f"ap_{model}": judged.ap(model) for model in judged.hits}
    columns |= {f"ndcg_{m}": metrics.ndcg(of, judged.n_relevant) for m, of in judged.hits.items()}
    for name, of_lists in (("ap", average_precision), ("ndcg", metrics.ndcg)):
        if judged.half_hits:
            columns[f"halves_{name}"] = list(halves(judged, of_lists))
    if judged.popularity:
        columns |= {"n_positives": judged.n_positives, "n_found": judged.n_found}
    for model, percentile in judged.popularity.items():
        popular = judged.popular_hits[model]
        tail, n_tail = judged.hits[model] & ~popular, judged.n_relevant - judged.n_popular
        with np.errstate(invalid="ignore"):  # NaN for lists without a relevant item of the group
            columns[f"popular_{model}"] = average_precision(popular, judged.n_popular)
            columns[f"tail_{model}"] = average_precision(tail, n_tail)
        columns[f"popularity_{model}"] = percentile
        columns[f"diversity_{model}"] = judged.diversity[model]
    return pa.table(columns)


def halves(judged: Judged, of_lists: Callable) -> np.ndarray:
    """Return a metric of every list for each half of the models, float64 (n_lists, n_halves)."""
    found = [of_lists(hits, judged.n_relevant) for hits in judged.half_hits.values()]
    return np.stack(found, axis=1)


def metrics_of(judged: Judged, model: str) -> dict[str, float]:
    """Return the metrics of a model as means over the lists that have a value, NaN without any.

    Popularity and diversity are left out if they are not known, as for baselines.
    """
    hits, n_relevant = judged.hits[model], judged.n_relevant
    k = hits.shape[1]
    found = {
        f"map@{k}": float(average_precision(hits, n_relevant).mean()),
        f"ndcg@{k}": float(metrics.ndcg(hits, n_relevant).mean()),
        f"recall@{k}": float(metrics.recall(hits, n_relevant).mean()),
        f"hit_rate@{k}": float(metrics.hit_rate(hits).mean()),
        f"coverage@{k}": judged.coverage["all"][model],
    }
    for name, of in (("popularity", judged.popularity), ("diversity", judged.diversity)):
        if model in of:
            known = of[model][~np.isnan(of[model])]
            found[f"{name}@{k}"] = float(known.mean()) if len(known) else np.nan
    return found


def uplift(judged: Judged, base: str, params: EvaluateParams, seed: int) -> dict[str, float]:
    """Return MAP@k of the hybrid minus that of another model, with a paired bootstrap interval.

    `relative` is divided by the MAP@k of the other model, or 0 if that is 0.
    """
    better, other = judged.ap("hybrid"), judged.ap(base)
    difference = float(better.mean() - other.mean())
    return {
        f"map@{params.k}": difference,
        "relative": difference / float(other.mean()) if other.any() else 0.0,
        **bootstrap(better - other, judged.user, params.n_resamples, seed),
    }


def candidate_metrics(judged: Judged) -> dict[str, float]:
    """Return candidate metrics: size, recall, and MAP@k of the best order of the candidates."""
    k = judged.hits["als"].shape[1]
    oracle = metrics.oracle_average_precision(judged.n_found, judged.n_relevant, k)
    return {
        "size": float(judged.n_candidates.mean()),
        "reachable": float((judged.n_known / judged.n_relevant).mean()),
        "recall": float((judged.n_found / judged.n_relevant).mean()),
        "als_recall@100": float((judged.n_found_by_als / judged.n_relevant).mean()),
        f"oracle_map@{k}": float(oracle.mean()),
    }


def summary(judged: Judged, params: EvaluateParams, seed: int, n_threads: int) -> dict:
    """Return the content of metrics/validation.json or metrics/test.json."""
    best = max(judged.baselines, key=lambda name: judged.ap(name).mean())  # in hindsight
    groups = {"all": judged, **judged.warm_and_cold()}
    pairs = [(group, base) for group in groups for base in ("als", best)]
    tests = side_by_side(lambda of: uplift(groups[of[0]], of[1], params, seed), pairs, n_threads)
    gain = dict(zip(pairs, tests, strict=True))

    def compared(group: str) -> dict:
        return {
            **{name: metrics_of(groups[group], name) for name in ("als", "hybrid")},
            "uplift": gain[group, "als"],
            "uplift_over_best_baseline": {"name": best, **gain[group, best]},
        }

    notebook = metrics.notebook_average_precision
    result = {
        "n_lists": len(judged.user),
        "n_users": len(np.unique(judged.user)),
        "n_cold_users": int(judged.is_cold.sum()),
        "n_items": judged.n_items,
        **compared("all"),
        "candidates": candidate_metrics(judged),
        "notebook": {
            f"{name}_map@{params.k}": float(notebook(judged.hits[name]).mean())
            for name in ("als", "hybrid")
        },
    }
    result["hybrid"]["seed_sd"] = 0.0  # of one model
    if judged.half_hits:
        variance, _ = seed_variance(halves(judged, average_precision), judged.window)
        result["hybrid"]["seed_sd"] = float(np.sqrt(variance))
    for name in list(groups)[1:]:
        result[name] = {"n_lists": len(groups[name].user), **compared(name)}
    return result


def worse_than(summary: dict) -> list[str]:
    """Return which of ALS and the best baseline are significantly better than the hybrid.

    The interval of the hybrid's gain is then below 0. summary  metrics/KIND.json
    """
    best = summary["uplift_over_best_baseline"]
    gains = {"ALS": summary["uplift"], best["name"]: best}
    return [name for name, gain in gains.items() if gain["ci95_high"] < 0]


def summaries(
    pooled: dict[str, Judged], params: EvaluateParams, shared: SharedParams
) -> tuple[dict[str, dict], dict[str, dict]]:
    """Return the contents of metrics/KIND.json by kind of folds, and of metrics/map.json."""
    trees, screen, key = {}, {}, f"map@{params.k}"
    for kind, judged in pooled.items():
        of = trees[kind] = summary(judged, params, shared.seed, shared.n_threads)
        best = of["uplift_over_best_baseline"]["name"]
        screen[kind] = {
            "als": of["als"][key],
            "hybrid": of["hybrid"][key],
            "best_baseline": float(judged.ap(best).mean()),
            "gain": of["uplift"][key],
            "gain_low": of["uplift"]["ci95_low"],
            "gain_high": of["uplift"]["ci95_high"],
            "ceiling": of["candidates"][f"oracle_{key}"],
        }
    return trees, screen


def baselines_tree(pooled: dict[str, Judged], settings: pd.DataFrame) -> dict:
    """Return the content of metrics/baselines.json. settings  data/baselines/settings.csv"""
    rows = [(row, json.loads(row.parameters)) for row in settings.itertuples()]
    return {
        **{kind: {m: metrics_of(of, m) for m in of.baselines} for kind, of in pooled.items()},
        "parameters": {row.model: parameters for row, parameters in rows if row.is_best},
        "tried": [
            {"model": row.model, **parameters, "validation_map": row.map}
            for row, parameters in rows
            if (settings["model"] == row.model).sum() > 1
        ],
    }


def windows_table(
    judged: dict[str, Judged], folds: Folds, params: EvaluateParams, seed: int
) -> pd.DataFrame:
    """Return the content of metrics/windows.csv: a row per judged fold, oldest first."""
    rows = []
    for fold in reversed(folds.judged):
        of, groups = judged[fold], judged[fold].warm_and_cold()
        row = {"fold": fold, "window": folds.windows[fold]}
        row |= columns_of(of, list(of.hits), params, seed)
        for group in ("warm", "cold"):
            own = columns_of(groups.get(group), ["als", "hybrid"], params, seed)
            row |= {f"{group}_{key}": value for key, value in own.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def columns_of(
    judged: Judged | None, models: list[str], params: EvaluateParams, seed: int
) -> dict[str, float]:
    """Return n_lists, MAP@k of the models and the gain over ALS, which are NaN without lists."""
    if judged is None:
        return {"n_lists": 0} | dict.fromkeys((*models, "gain", "gain_low", "gain_high"), np.nan)
    of = uplift(judged, "als", params, seed)
    gain = {"gain": of[f"map@{params.k}"], "gain_low": of["ci95_low"], "gain_high": of["ci95_high"]}
    maps = {model: judged.ap(model).mean() for model in models}
    return {"n_lists": len(judged.user), **maps, **gain}


def by_k(judged: Judged) -> pd.DataFrame:
    """Return MAP@k of every model for each k up to the cut-off, with the column k."""
    cuts, n_relevant = range(1, judged.hits["als"].shape[1] + 1), judged.n_relevant
    columns = {
        model: [average_precision(hits[:, :k], n_relevant).mean() for k in cuts]
        for model, hits in judged.hits.items()
    }
    return pd.DataFrame({"k": cuts, **columns})


def by_activity(n_positives: np.ndarray) -> dict[str, np.ndarray]:
    """Return slices of lists by positives in the history: name -> bool (n_lists,)."""
    of_list = pd.cut(n_positives, [-1, *ACTIVITY.values()], labels=[*ACTIVITY])
    return {name: of_list == name for name in ACTIVITY}


def slices(judged: Judged) -> pd.DataFrame:
    """Return slice, n_lists and MAP@k of every model, for slices of users and of items.

    In a slice of items, only its relevant items count, and only lists that have one.
    """
    masks = by_activity(judged.n_positives)
    parts = {name: (judged.n_relevant * is_in, judged.hits) for name, is_in in masks.items()}
    tail = {model: hits & ~judged.popular_hits[model] for model, hits in judged.hits.items()}
    parts["popular items"] = judged.n_popular, judged.popular_hits
    parts["long-tail items"] = judged.n_relevant - judged.n_popular, tail
    rows = []
    for name, (n_relevant, hits) in parts.items():
        at = np.flatnonzero(n_relevant)
        if len(at):
            maps = {m: average_precision(of[at], n_relevant[at]).mean() for m, of in hits.items()}
            rows.append({"slice": name, "n_lists": len(at), **maps})
    return pd.DataFrame(rows)


def by_item_age(
    history: History, target: Target, models: Mapping[str, TopLists], k: int
) -> pd.DataFrame:
    """Return a row for each age and each list of a fold with a relevant item of this age.

    Only relevant items of this age count; ranks are those in the full list. Columns: age;
    n_relevant; for every model map_MODEL, which is AP@k with the denominator min(k, n_relevant),
    and recall_MODEL, which is hits / n_relevant.
    """
    counts = np.bincount(history.item, minlength=history.n_items)
    of_pair = np.append(counts, 0)[history.item_of(target.item)]  # -1 reads the 0 appended
    parts = []
    for age, (low, high) in AGES.items():
        rows = (of_pair >= low) & (of_pair <= high)
        own = Target(target.users, target.user[rows], target.item[rows], target.strength[rows])
        users, n_relevant = np.unique(own.user, return_counts=True)
        columns = {"age": age, "n_relevant": n_relevant}
        for name, lists in models.items():
            hits = lists.hits(own, users, k)
            columns[f"map_{name}"] = average_precision(hits, n_relevant)
            columns[f"recall_{name}"] = metrics.recall(hits, n_relevant)
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def item_age_table(of_folds: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the content of metrics/tables/item_age.csv from by_item_age of every judged fold.

    There is a row for each kind and age (fold is `all`), then for each fold and age. Metrics are
    means over lists, NaN without lists.
    """
    of_all = [of.assign(kind=kind_of(fold), fold=fold) for fold, of in of_folds.items()]
    pooled = [of.assign(fold="all") for of in of_all]
    rows = []
    for (kind, fold), lists in pd.concat([*pooled, *of_all]).groupby(["kind", "fold"], sort=False):
        for age in AGES:
            own = lists[lists["age"] == age].drop(columns=["age", "kind", "fold"])
            n_relevant = own.pop("n_relevant").sum()
            row = {"kind": kind, "fold": fold, "age": age, "n_lists": len(own)}
            row |= {"n_relevant": n_relevant, "share": n_relevant / lists["n_relevant"].sum()}
            rows.append(row | own.mean().to_dict())
    return pd.DataFrame(rows)
