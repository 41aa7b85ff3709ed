"""Trains the LightGBM rankers of the judged folds, each on labelled candidates of earlier folds
only.

usage: python stages/ranker.py
in:    data/features/FOLD.parquet of every fold but test
out:   data/ranker/FOLD_SEED.txt: a LightGBM text model for each judged fold and each SEED of
         0 … n_seeds - 1
       data/ranker/feature_gain.csv: feature, gain: its share of the total gain in the models of the
         fold validation
       data/ranker/learning_curve.csv: trees, map: mean AP@10 over the validation fold's lists that
         hold a relevant item, ranked by the first so many trees of that fold's first model
"""

from harness.params import section, shared_params
from harness.script import InputError, report, run_script, whole

import numpy as np
import pandas as pd

from boosting import examples
from boosting.examples import Examples
from boosting.lean import lightgbm as lgb
from boosting.training import Params, dataset, sample_negatives, train
from evaluation.metrics import average_precision
from evaluation.top_lists import top_k
from folds.history import JUDGED

CURVE_POINTS = 20
CURVE_K = 10


def learning_curve(models: list[lgb.Booster], examples: Examples, n_trees: int) -> pd.DataFrame:
    """trees and map, after about CURVE_POINTS equal steps; scores of several models are
    averaged.
    """
    step = max(1, n_trees // CURVE_POINTS)
    score = np.zeros(len(examples.label))
    rows = []
    for start in range(0, n_trees, step):
        for model in models:
            score += model.predict(
                examples.values, start_iteration=start, num_iteration=step, raw_score=True
            )
        rows.append((min(start + step, n_trees), mean_average_precision(examples, score)))
    return pd.DataFrame(rows, columns=["trees", "map"])


def mean_average_precision(examples: Examples, score: np.ndarray) -> float:
    """Mean AP@CURVE_K over the lists, in the order of the score."""
    lists = np.repeat(np.arange(len(examples.group)), examples.group)
    top = top_k(examples.user, np.arange(len(lists)), score, CURVE_K)  # .item: rows of examples
    hits = np.zeros((len(examples.group), CURVE_K), dtype=bool)
    hits[lists[top.item], top.rank - 1] = examples.label[top.item] > 0
    n_relevant = examples.n_relevant[np.cumsum(examples.group) - examples.group]
    return float(average_precision(hits, n_relevant).mean())


def feature_gain(models: list[lgb.Booster]) -> pd.DataFrame:
    """feature and gain, the largest first; the gains sum to 1."""
    gain = sum(model.feature_importance("gain") for model in models)
    frame = pd.DataFrame(
        {"feature": models[0].feature_name(), "gain": gain / max(gain.sum(), 1e-12)}
    )
    return frame.sort_values("gain", ascending=False, kind="stable")


def main() -> None:
    shared = shared_params()
    params = section("ranker", Params)
    folds = {fold: examples.read(fold) for fold in shared.folds if fold != "test"}
    sampled = {
        fold: sample_negatives(examples, params.negatives, shared.seed)
        for fold, examples in folds.items()
    }
    for judged in JUDGED:
        earlier = [
            sampled[fold]
            for fold in shared.folds[shared.folds.index(judged) + 1 :]
            if len(sampled[fold].label)
        ]
        if not earlier:
            raise InputError(
                f"no fold before {judged} has a list that holds a relevant item; "
                "add label folds to folds"
            )
        data = dataset(earlier, params, shared.seed)
        models = [train(data, params, run, number) for number in range(params.n_seeds)]
        models.save(judged, models)
        report(
            f"{judged}: {data.num_data():,} candidates in "
            f"{sum(len(examples.group) for examples in earlier):,} lists"
        )
        if judged == "validation":
            write_plots(models, folds["validation"], params.n_estimators)


def write_plots(models: list[lgb.Booster], validation: Examples, n_trees: int) -> None:
    """feature_gain.csv and learning_curve.csv."""
    with whole(models.GAIN) as path:
        feature_gain(models).to_csv(path, index=False)
    with whole(models.CURVE) as path:
        learning_curve(models[:1], validation, n_trees).to_csv(path, index=False)


if __name__ == "__main__":
    run_script(main)
