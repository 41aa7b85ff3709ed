"""The tables of results in metrics/, made of judged lists."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from evaluation import metrics
from evaluation.judge import Judged
from evaluation.top_lists import EvaluateParams

# Warm users by number of positives in the history, half-open
SLICES = ((1, 10), (10, 50), (50, 200), (200, None))
GAIN = ("gain", "gain_low", "gain_high")


def five_metrics(judged: Judged, model: str) -> dict[str, float]:
    """The metrics of a model, means over the lists."""
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
    """The baseline with the largest MAP@k on these very lists, in hindsight."""
    return max(judged.baselines, key=lambda name: judged.ap(name).mean())


def much_stronger_than_als(maps: dict[str, float]) -> dict[str, float]:
    """The best baseline and the popular items with their MAP@k, where ALS is so weak that a gain
    over it says little: below nine tenths of the former, or below the latter. Else nothing.
    """
    baselines = {name: value for name, value in maps.items() if name not in ("als", "hybrid")}
    best = max(baselines, key=baselines.get)
    shown = {best: baselines[best]} | {name: maps[name] for name in ("popular",) if name in maps}
    is_weak = maps["als"] < max(0.9 * maps[best], maps.get("popular", 0.0))
    return shown if is_weak else {}


def uplift(judged: Judged, base: str, params: EvaluateParams, seed: int) -> dict[str, float]:
    """MAP@k of the hybrid minus that of another model, with the interval of the paired bootstrap;
    relative to the other's, 0 where that is 0.
    """
    better, other = judged.ap("hybrid"), judged.ap(base)
    difference = float(better.mean() - other.mean())
    return {
        f"map@{params.k}": difference,
        "relative": difference / float(other.mean()) if other.any() else 0.0,
        **metrics.bootstrap(better - other, judged.user, params.n_resamples, seed),
    }


def seed_sd(judged: Judged) -> float:
    """An estimate, from one run, of the standard deviation that other seeds of the ranker give the
    hybrid's MAP@k: that of its single models over the root of their number, since their scores are
    averaged; 0 for one model. It is too low where the models have something in common that a seed
    changes: they share their draw of negatives.
    """
    means = [
        metrics.average_precision(hits, judged.n_relevant).mean()
        for hits in judged.single_hits.values()
    ]
    return float(np.std(means, ddof=1) / np.sqrt(len(means))) if len(means) > 1 else 0.0


def candidate_metrics(judged: Judged) -> dict[str, float]:
    """What the candidates hold and what their best order would give: means over the lists."""
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
    """The content of metrics/validation.json and metrics/test.json."""
    best = best_baseline(judged)
    groups = {"all": judged}
    for name, is_in in (("warm", ~judged.is_cold), ("cold", judged.is_cold)):
        if is_in.any():
            groups[name] = judged.of_users(name)
    pairs = [(group, base) for group in groups for base in ("als", best)]
    with ThreadPoolExecutor(n_threads) as threads:  # the bootstrap is most of the stage
        found = threads.map(lambda pair: uplift(groups[pair[0]], pair[1], params, seed), pairs)
        gain = dict(zip(pairs, found, strict=True))

    def compared(group: str) -> dict:
        return {
            **{name: five_metrics(groups[group], name) for name in ("als", "hybrid")},
            "uplift": gain[group, "als"],
            "uplift_over_best_baseline": {"name": best, **gain[group, best]},
        }

    result = {
        "n_lists": len(judged.user),
        "n_users": len(np.unique(judged.user)),
        "n_cold_users": int(judged.is_cold.sum()),
        "n_items": judged.n_items,
        **compared("all"),
        "candidates": candidate_metrics(judged),
        "notebook": {
            f"{name}_map@{params.k}": float(
                metrics.notebook_average_precision(judged.hits[name]).mean()
            )
            for name in ("als", "hybrid")
        },
    }
    result["hybrid"]["seed_sd"] = seed_sd(judged)
    for name in list(groups)[1:]:
        result[name] = {"n_lists": len(groups[name].user), **compared(name)}
    return result


def one_screen(summary: dict, judged: Judged) -> dict[str, float]:
    """The part of metrics/map.json for one kind of folds: MAP@k, and the gain over ALS."""
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


def baselines_tree(pooled: dict[str, Judged], settings: pd.DataFrame) -> dict:
    """The content of metrics/baselines.json.

    settings  the columns of data/baselines/settings.csv
    """
    best = settings[settings["is_best"]]
    tree = {
        kind: {name: five_metrics(of, name) for name in of.baselines} for kind, of in pooled.items()
    }
    tree["parameters"] = {row.model: json.loads(row.parameters) for row in best.itertuples()}
    tree["tried"] = [
        {"model": row.model, **json.loads(row.parameters), "validation_map": row.map}
        for row in settings.itertuples()
        if (settings["model"] == row.model).sum() > 1
    ]
    return tree


def window_row(judged: Judged, params: EvaluateParams, seed: int) -> dict[str, float]:
    """The columns of metrics/windows.csv for the lists of one fold; NaN where it has none."""
    row = {"n_lists": len(judged.user)}
    row |= {model: judged.ap(model).mean() for model in judged.hits}
    row |= gain_over_als(judged, params, seed)
    for group, is_in in (("warm", ~judged.is_cold), ("cold", judged.is_cold)):
        row[f"{group}_n_lists"] = int(is_in.sum())
        lists = judged.of_users(group) if is_in.any() else None
        for model in ("als", "hybrid"):
            row[f"{group}_{model}"] = lists.ap(model).mean() if lists else np.nan
        gain = gain_over_als(lists, params, seed) if lists else dict.fromkeys(GAIN, np.nan)
        row |= {f"{group}_{key}": value for key, value in gain.items()}
    return row


def gain_over_als(judged: Judged, params: EvaluateParams, seed: int) -> dict[str, float]:
    """gain, gain_low, gain_high: MAP@k of the hybrid minus that of ALS, and its 95 % interval."""
    found = uplift(judged, "als", params, seed)
    values = (found[f"map@{params.k}"], found["ci95_low"], found["ci95_high"])
    return dict(zip(GAIN, values, strict=True))


def by_k(judged: Judged) -> pd.DataFrame:
    """k, and MAP@k of every model."""
    k = judged.hits["als"].shape[1]
    columns = {
        model: [
            metrics.average_precision(hits[:, :cut], judged.n_relevant).mean()
            for cut in range(1, k + 1)
        ]
        for model, hits in judged.hits.items()
    }
    return pd.DataFrame({"k": range(1, k + 1), **columns})


def slices(judged: Judged) -> pd.DataFrame:
    """slice, n_lists, and MAP@k of every model by slice of users, and by slice of relevant items:
    for the latter only the relevant items in it count, over the lists that have one.
    """
    ap = {model: judged.ap(model) for model in judged.hits}
    masks = {"cold users": judged.is_cold}
    for low, high in SLICES:
        name = f"{low}-{high - 1} positives" if high else f"{low}+ positives"
        masks[name] = (judged.n_positives >= low) & (judged.n_positives < (high or np.inf))
    rows = [
        {
            "slice": name,
            "n_lists": mask.sum(),
            **{model: values[mask].mean() for model, values in ap.items()},
        }
        for name, mask in masks.items()
        if mask.any()
    ]
    popular = judged.n_popular, judged.popular_hits
    tail = (
        judged.n_relevant - judged.n_popular,
        {model: hits & ~judged.popular_hits[model] for model, hits in judged.hits.items()},
    )
    for name, (n_relevant, hits) in (("popular items", popular), ("long-tail items", tail)):
        has_any = n_relevant > 0
        if has_any.any():
            own = {
                model: metrics.average_precision(of[has_any], n_relevant[has_any]).mean()
                for model, of in hits.items()
            }
            rows.append({"slice": name, "n_lists": has_any.sum(), **own})
    return pd.DataFrame(rows)
