"""Tables of results in metrics/ and data/per_user, computed from judged lists."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from core import metrics
from core.folds import Folds
from core.history import History, Target
from core.metrics import average_precision
from core.params import SharedParams, kind_of
from core.top_lists import EvaluateParams, TopLists

import numpy as np
import pandas as pd
import pyarrow as pa

from evaluation.bootstrap import bootstrap, seed_variance
from evaluation.judged import Judged

SLICES = ((1, 10), (10, 50), (50, 200), (200, None))  # warm users by positives, half-open
GAIN = ("gain", "gain_low", "gain_high")
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


def per_user(judged: Judged, user_ids: pa.ChunkedArray) -> pa.Table:
    """Return the content of data/per_user/FOLD.parquet; see stages/evaluate.py."""
    columns = {
        "user_id": user_ids.take(judged.user),
        "is_cold": judged.is_cold,
        "n_relevant": judged.n_relevant.astype(np.int32),
    }
    columns |= {f"ap_{model}": judged.ap(model) for model in judged.hits}
    for model, hits in judged.hits.items():
        columns[f"ndcg_{model}"] = metrics.ndcg(hits, judged.n_relevant)
    for name, of_lists in (("ap", metrics.average_precision), ("ndcg", metrics.ndcg)):
        if judged.half_hits:
            columns[f"halves_{name}"] = list(halves(judged, of_lists))
    return pa.table(columns)


def halves(judged: Judged, of_lists: Callable) -> np.ndarray:
    """Return a metric of every list for each half of the models, float64 (n_lists, n_halves)."""
    found = [of_lists(hits, judged.n_relevant) for hits in judged.half_hits.values()]
    return np.stack(found, axis=1)


def five_metrics(judged: Judged, model: str) -> dict[str, float]:
    """Return the five metrics of a model as means over the lists."""
    hits, n_relevant = judged.hits[model], judged.n_relevant
    k = hits.shape[1]
    return {
        f"map@{k}": float(metrics.average_precision(hits, n_relevant).mean()),
        f"ndcg@{k}": float(metrics.ndcg(hits, n_relevant).mean()),
        f"recall@{k}": float(metrics.recall(hits, n_relevant).mean()),
        f"hit_rate@{k}": float(metrics.hit_rate(hits).mean()),
        f"coverage@{k}": judged.coverage["all"][model],
    }


def all_metrics(judged: Judged, model: str) -> dict[str, float]:
    """Return the metrics of ALS or the hybrid, with popularity and diversity if they are known."""
    k, found = judged.hits[model].shape[1], five_metrics(judged, model)
    for name in ("popularity", "diversity"):
        if values := getattr(judged, name):
            found[f"{name}@{k}"] = mean(values[model])
    return found


def mean(values: np.ndarray) -> float:
    """Return the mean over the lists that have a value, or NaN if none has one."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def best_baseline(judged: Judged) -> str:
    """Return the baseline with the largest MAP@k on these lists (a choice in hindsight)."""
    return max(judged.baselines, key=lambda name: judged.ap(name).mean())


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


def seed_sd(judged: Judged) -> float:
    """Estimate the standard deviation of MAP@k over seeds of the ranker; 0 for one model."""
    if not judged.half_hits:
        return 0.0
    ap = halves(judged, metrics.average_precision)
    return float(np.sqrt(seed_variance(ap, judged.window)[0]))


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
    best = best_baseline(judged)
    groups = {"all": judged, **judged.warm_and_cold()}
    pairs = [(group, base) for group in groups for base in ("als", best)]
    with ThreadPoolExecutor(n_threads) as threads:
        found = threads.map(lambda pair: uplift(groups[pair[0]], pair[1], params, seed), pairs)
        gain = dict(zip(pairs, found, strict=True))

    def compared(group: str) -> dict:
        return {
            **{name: all_metrics(groups[group], name) for name in ("als", "hybrid")},
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
    result["hybrid"]["seed_sd"] = seed_sd(judged)
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


def one_screen(summary: dict, judged: Judged) -> dict[str, float]:
    """Return the part of metrics/map.json for one kind of folds: MAP@k and the gain over ALS."""
    key = next(iter(summary["als"]))  # map@k
    return {
        "als": summary["als"][key],
        "hybrid": summary["hybrid"][key],
        "best_baseline": float(judged.ap(best_baseline(judged)).mean()),
        "gain": summary["uplift"][key],
        "gain_low": summary["uplift"]["ci95_low"],
        "gain_high": summary["uplift"]["ci95_high"],
        "ceiling": summary["candidates"][f"oracle_{key}"],
    }


def summaries(
    pooled: dict[str, Judged], params: EvaluateParams, shared: SharedParams
) -> tuple[dict[str, dict], dict[str, dict]]:
    """Return the contents of metrics/KIND.json by kind of folds, and of metrics/map.json."""
    draw = (params, shared.seed, shared.n_threads)
    found = {kind: summary(of, *draw) for kind, of in pooled.items()}
    return found, {kind: one_screen(found[kind], of) for kind, of in pooled.items()}


def baselines_tree(pooled: dict[str, Judged], settings: pd.DataFrame) -> dict:
    """Return the content of metrics/baselines.json. settings  data/baselines/settings.csv"""
    tree = {
        kind: {name: five_metrics(of, name) for name in of.baselines} for kind, of in pooled.items()
    }
    tree["parameters"] = {
        row.model: json.loads(row.parameters) for row in settings[settings["is_best"]].itertuples()
    }
    tree["tried"] = [
        {"model": row.model, **json.loads(row.parameters), "validation_map": row.map}
        for row in settings.itertuples()
        if (settings["model"] == row.model).sum() > 1
    ]
    return tree


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
        return {"n_lists": 0} | dict.fromkeys((*models, *GAIN), np.nan)
    found = uplift(judged, "als", params, seed)
    gain = (found[f"map@{params.k}"], found["ci95_low"], found["ci95_high"])
    maps = {model: judged.ap(model).mean() for model in models}
    return {"n_lists": len(judged.user), **maps, **dict(zip(GAIN, gain, strict=True))}


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
    masks = {"cold users": n_positives == 0}
    for low, high in SLICES:
        name = f"{low}-{high - 1} positives" if high else f"{low}+ positives"
        masks[name] = (n_positives >= low) & (n_positives < (high or np.inf))
    return masks


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
            columns[f"map_{name}"] = metrics.average_precision(hits, n_relevant)
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
