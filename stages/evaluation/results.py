"""The tables of results in metrics/ and data/per_user, computed from judged lists."""

import json
import math
from concurrent.futures import ThreadPoolExecutor

from core import metrics
from core.folds import Folds
from core.params import SharedParams
from core.top_lists import EvaluateParams

import numpy as np
import pandas as pd
import pyarrow as pa

from evaluation.bootstrap import bootstrap
from evaluation.judged import Judged

SLICES = ((1, 10), (10, 50), (50, 200), (200, None))  # warm users by positives, half-open
GAIN = ("gain", "gain_low", "gain_high")


def to_json(tree: dict) -> str:
    """Return the text of a JSON file: NaN becomes null, an infinite number is a KeyError."""
    constants = {"NaN": None}
    return json.dumps(json.loads(json.dumps(tree), parse_constant=constants.__getitem__), indent=2)


def from_json(text: str) -> dict:
    """Read what to_json wrote; null becomes NaN."""
    return json.loads(
        text, object_hook=lambda tree: {k: math.nan if v is None else v for k, v in tree.items()}
    )


def per_user(judged: Judged, user_ids: pa.ChunkedArray) -> pa.Table:
    """Return the content of data/per_user/FOLD.parquet, see stages/evaluate.py."""
    columns = {
        "user_id": user_ids.take(judged.user),
        "is_cold": judged.is_cold,
        "n_relevant": judged.n_relevant.astype(np.int32),
    }
    columns |= {f"ap_{model}": judged.ap(model) for model in judged.hits}
    for model, hits in judged.hits.items():
        columns[f"ndcg_{model}"] = metrics.ndcg(hits, judged.n_relevant)
    return pa.table(columns)


def five_metrics(judged: Judged, model: str) -> dict[str, float]:
    """Return the metrics of a model: means over the lists."""
    hits, n_relevant = judged.hits[model], judged.n_relevant
    k = hits.shape[1]
    return {
        f"map@{k}": float(metrics.average_precision(hits, n_relevant).mean()),
        f"ndcg@{k}": float(metrics.ndcg(hits, n_relevant).mean()),
        f"recall@{k}": float(metrics.recall(hits, n_relevant).mean()),
        f"hit_rate@{k}": float(metrics.hit_rate(hits).mean()),
        f"coverage@{k}": judged.coverage["all"][model],
    }


def best_baseline(judged: Judged) -> str:
    """Return the baseline with the largest MAP@k on these lists, which is known in hindsight."""
    return max(judged.baselines, key=lambda name: judged.ap(name).mean())


def uplift(judged: Judged, base: str, params: EvaluateParams, seed: int) -> dict[str, float]:
    """Return MAP@k of the hybrid minus that of another model, with the interval of the paired
    bootstrap; `relative` to the other's MAP@k, 0 where that is 0.
    """
    better, other = judged.ap("hybrid"), judged.ap(base)
    difference = float(better.mean() - other.mean())
    return {
        f"map@{params.k}": difference,
        "relative": difference / float(other.mean()) if other.any() else 0.0,
        **bootstrap(better - other, judged.user, params.n_resamples, seed),
    }


def seed_sd(judged: Judged) -> float:
    """Estimate the standard deviation of the hybrid's MAP@k over seeds of the ranker: that of its
    single models over the root of their number, because their scores are averaged; 0 for one model.
    It is too low, because the single models share the sample of negatives.
    """
    of = [
        metrics.average_precision(hits, judged.n_relevant) for hits in judged.single_hits.values()
    ]
    means = [ap.mean() for ap in of]
    return float(np.std(means, ddof=1) / np.sqrt(len(means))) if len(means) > 1 else 0.0


def candidate_metrics(judged: Judged) -> dict[str, float]:
    """Return means over the lists: what the candidates contain, and MAP@k of their best order."""
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
            **{name: five_metrics(groups[group], name) for name in ("als", "hybrid")},
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


def one_screen(summary: dict, judged: Judged) -> dict[str, float]:
    """Return the part of metrics/map.json for one kind of folds: MAP@k, and the gain over ALS."""
    (key,) = [key for key in summary["als"] if key.startswith("map@")]
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
    """Return, by kind of folds, the content of metrics/KIND.json, and that of metrics/map.json."""
    draw = (params, shared.seed, shared.n_threads)
    found = {kind: summary(of, *draw) for kind, of in pooled.items()}
    return found, {kind: one_screen(found[kind], of) for kind, of in pooled.items()}


def baselines_tree(pooled: dict[str, Judged], settings: pd.DataFrame) -> dict:
    """Return the content of metrics/baselines.json. settings: data/baselines/settings.csv"""
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
    """Return the content of metrics/windows.csv: a row per judged fold, the oldest first."""
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
    """Return n_lists, MAP@k of the models, and the gain of the hybrid over ALS with its interval;
    NaN without lists.
    """
    if judged is None:
        return {"n_lists": 0} | dict.fromkeys((*models, *GAIN), np.nan)
    found = uplift(judged, "als", params, seed)
    gain = (found[f"map@{params.k}"], found["ci95_low"], found["ci95_high"])
    maps = {model: judged.ap(model).mean() for model in models}
    return {"n_lists": len(judged.user), **maps, **dict(zip(GAIN, gain, strict=True))}


def by_k(judged: Judged) -> pd.DataFrame:
    """Return k, and MAP@k of every model."""
    cuts = range(1, judged.hits["als"].shape[1] + 1)
    columns = {
        model: [metrics.average_precision(hits[:, :k], judged.n_relevant).mean() for k in cuts]
        for model, hits in judged.hits.items()
    }
    return pd.DataFrame({"k": cuts, **columns})


def by_activity(n_positives: np.ndarray) -> dict[str, np.ndarray]:
    """Return the slices of users by positives in the history: name -> bool (n_lists,)."""
    masks = {"cold users": n_positives == 0}
    for low, high in SLICES:
        name = f"{low}-{high - 1} positives" if high else f"{low}+ positives"
        masks[name] = (n_positives >= low) & (n_positives < (high or np.inf))
    return masks


def slices(judged: Judged) -> pd.DataFrame:
    """Return slice, n_lists, and MAP@k of every model, by slice of users and by slice of items. In
    a slice of items only the relevant items in it count, over the lists that have one.
    """
    every = np.ones(len(judged.user), dtype=bool)
    masks = by_activity(judged.n_positives)
    parts = {name: (is_in, judged.n_relevant, judged.hits) for name, is_in in masks.items()}
    tail = {model: hits & ~judged.popular_hits[model] for model, hits in judged.hits.items()}
    parts["popular items"] = every, judged.n_popular, judged.popular_hits
    parts["long-tail items"] = every, judged.n_relevant - judged.n_popular, tail
    rows = []
    for name, (is_in, n_relevant, hits) in parts.items():
        is_in = is_in & (n_relevant > 0)
        if is_in.any():
            maps = {
                model: metrics.average_precision(of[is_in], n_relevant[is_in]).mean()
                for model, of in hits.items()
            }
            rows.append({"slice": name, "n_lists": is_in.sum(), **maps})
    return pd.DataFrame(rows)
