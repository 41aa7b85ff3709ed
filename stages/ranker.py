"""Trains the LightGBM rankers of the judged folds.

The rankers of a fold are trained on labelled candidates of the `ranker.train_folds` folds before
it.

usage: python stages/ranker.py
in:    data/split/folds.json; data/features/features.json; of every fold but test:
       data/features/FOLD.parquet
out:   data/ranker/FOLD/SEED.txt: a LightGBM text model for each judged FOLD and each SEED of
         0 … n_seeds - 1
       data/ranker/features.json: as in data/features
       data/ranker/feature_gain.csv: feature, gain: its share of the total gain in the models of the
         fold validation
       data/ranker/learning_curve.csv: trees, map: mean AP@10 over the lists of the fold validation
         with a relevant item, ranked by the first trees of the fold's first model; no row if there
         are no such lists
"""

import shutil

from core import examples, folds
from core.examples import Examples
from core.metrics import average_precision
from core.params import section, shared_params
from core.script import report, run_script, whole_folder
from core.top_lists import top_k

import numpy as np
import pandas as pd

from rankers import trained as models
from rankers.trained import lgb
from rankers.training import RankerParams, train_all

CURVE_POINTS = 20
CURVE_K = 10


def learning_curve(boosters: list[lgb.Booster], judged: Examples, n_trees: int) -> pd.DataFrame:
    """Return the columns trees and map in about CURVE_POINTS steps; no rows without lists."""
    if not len(judged.label):
        report("no list of the fold validation has a relevant item, so the learning curve is empty")
        return pd.DataFrame(columns=["trees", "map"])
    step = max(1, n_trees // CURVE_POINTS)
    score, rows = np.zeros(len(judged.label)), []
    for start in range(0, n_trees, step):
        trees = {"start_iteration": start, "num_iteration": step, "raw_score": True}
        for booster in boosters:
            score += booster.predict(judged.values, **trees)
        rows.append((min(start + step, n_trees), mean_average_precision(judged, score)))
    return pd.DataFrame(rows, columns=["trees", "map"])


def mean_average_precision(judged: Examples, score: np.ndarray) -> float:
    """Return the mean AP@CURVE_K of the lists in the order of the score."""
    list_of_row = judged.list_of_row
    top = top_k(judged.user, np.arange(len(list_of_row)), score, CURVE_K)  # .item: rows of judged
    hits = np.zeros((len(judged.group), CURVE_K), dtype=bool)
    hits[list_of_row[top.item], top.rank - 1] = judged.label[top.item] > 0
    return float(average_precision(hits, judged.n_relevant[judged.starts]).mean())


def feature_gain(boosters: list[lgb.Booster]) -> pd.DataFrame:
    """Return the columns feature and gain, largest first. Gains sum to 1."""
    gain = sum(booster.feature_importance("gain") for booster in boosters)
    share = gain / max(gain.sum(), 1e-12)
    frame = pd.DataFrame({"feature": boosters[0].feature_name(), "gain": share})
    return frame.sort_values("gain", ascending=False, kind="stable")


def main() -> None:
    shared = shared_params()
    params = section("ranker", RankerParams)
    training = folds.load().training(params.train_folds)
    with whole_folder(models.FOLDER) as folder:
        shutil.copy(examples.FOLDER / "features.json", folder)
        for judged, boosters in train_all(examples.read, params, training, shared):
            models.save(folder, judged, boosters)
            if judged == "validation":
                curve = learning_curve(boosters[:1], examples.read(judged), params.n_estimators)
                curve.to_csv(folder / "learning_curve.csv", index=False)
                feature_gain(boosters).to_csv(folder / "feature_gain.csv", index=False)


if __name__ == "__main__":
    run_script(main)
