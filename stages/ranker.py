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

import process  # noqa: F401, before all others

# isort: split

from typing import Literal

import lightgbm as lgb
import numpy as np
import pandas as pd
from pydantic import Field, model_validator
from tqdm import tqdm

import features_file
import ranker_models
from features_file import Examples
from folds import JUDGED
from params import Run, Strict, section
from params import run as run_params
from ranking import average_precision
from stage import InputError, report, run, whole
from top_lists import top_k

CURVE_POINTS = 20
CURVE_K = 10


class Params(Strict):
    """Parameters of the ranker, by LightGBM's names where it has one."""

    objective: Literal["lambdarank", "rank_xendcg", "binary"]
    label: Literal["positive", "graded"]  # relevant or not, or the strength of the feedback
    n_estimators: int = Field(ge=1, le=100_000)  # trees
    learning_rate: float = Field(gt=0, le=10)
    num_leaves: int = Field(ge=2, le=131_072)  # of a tree
    min_data_in_leaf: int = Field(ge=0)  # rows
    feature_fraction: float = Field(gt=0, le=1)  # of the features, drawn for each tree
    lambda_l2: float = Field(ge=0)  # L2 regularisation of leaf values
    max_bin: int = Field(ge=2, le=255)  # bins of a feature
    truncation_level: int = Field(ge=1)  # lambdarank: ranks that matter; about k + 3
    negatives: int = Field(ge=0)  # irrelevant candidates kept per list, drawn by seed; 0 = all
    list_weight: float = Field(ge=0, le=2)  # w: rows of a list with n relevant ones weigh n^-w
    n_seeds: int = Field(ge=1, le=100)  # models whose scores are averaged

    @model_validator(mode="after")
    def _graded_needs_ranking(self) -> "Params":
        if self.label == "graded" and self.objective == "binary":
            raise ValueError("ranker.label graded needs the objective lambdarank or rank_xendcg")
        return self


def sample_negatives(examples: Examples, most: int, seed: int) -> Examples:
    """All relevant rows, and `most` irrelevant rows of each list at random (0 = all), in the same
    order.
    """
    if not most:
        return examples
    lists = np.repeat(np.arange(len(examples.group)), examples.group)
    draw = np.random.default_rng(seed).random(len(lists))
    draw[examples.label > 0] = -1
    order = np.lexsort((draw, lists))
    starts = np.concatenate([[0], np.cumsum(examples.group)])[:-1]
    place = np.empty(len(lists), dtype=np.int64)
    place[order] = np.arange(len(lists)) - np.repeat(starts, examples.group)
    n_relevant = np.bincount(lists, examples.label > 0)
    return examples.take(place < n_relevant[lists] + most)


def list_weights(label: np.ndarray, group: np.ndarray, power: float) -> np.ndarray:
    """float64 (n_rows,), mean 1: proportional to n ** -power, n = relevant rows of the row's list.

    MAP is a mean over users, a loss is a sum over rows: without weights a few users with many
    relevant items decide what is learned. power 0 leaves that so; the larger, the more alike do
    users count.
    """
    lists = np.repeat(np.arange(len(group)), group)
    n_relevant = np.bincount(lists, label > 0)
    weight = np.maximum(n_relevant, 1.0)[lists] ** -power
    return weight / weight.mean()


def dataset(folds: list[Examples], params: Params, seed: int) -> lgb.Dataset:
    """The rows of all folds, fold after fold, lists contiguous."""
    label = np.concatenate([examples.label for examples in folds])
    group = np.concatenate([examples.group for examples in folds])
    return lgb.Dataset(
        [examples.values for examples in folds],
        label if params.label == "graded" else label > 0,
        weight=list_weights(label, group, params.list_weight),
        group=group,
        feature_name=folds[0].names,
        categorical_feature=folds[0].categorical,
        params={
            "max_bin": params.max_bin,
            "data_random_seed": seed,
            "force_col_wise": True,
            "verbosity": -1,
            "min_data_in_leaf": params.min_data_in_leaf,
        },
    )


def train(data: lgb.Dataset, params: Params, run: Run, number: int) -> lgb.Booster:
    """Model `number` of n_seeds; deterministic at any number of threads."""
    names = (
        "objective",
        "learning_rate",
        "num_leaves",
        "min_data_in_leaf",
        "feature_fraction",
        "lambda_l2",
        "max_bin",
    )
    settings = {
        **{name: getattr(params, name) for name in names},
        "lambdarank_truncation_level": params.truncation_level,
        "feature_fraction_seed": run.seed + number,
        "bagging_seed": run.seed + number,
        "objective_seed": run.seed + number,
        "extra_seed": run.seed + number,
        "data_random_seed": run.seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": run.n_threads,
        "verbosity": -1,
    }
    bar = tqdm(total=params.n_estimators, desc=f"trees, seed {number}", disable=None)
    model = lgb.train(
        settings, data, params.n_estimators, callbacks=[lambda _: bar.update() and None]
    )
    bar.close()
    return model


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
    run = run_params()
    params = section("ranker", Params)
    folds = {fold: features_file.read(fold) for fold in run.folds if fold != "test"}
    sampled = {
        fold: sample_negatives(examples, params.negatives, run.seed)
        for fold, examples in folds.items()
    }
    for judged in JUDGED:
        earlier = [
            sampled[fold]
            for fold in run.folds[run.folds.index(judged) + 1 :]
            if len(sampled[fold].label)
        ]
        if not earlier:
            raise InputError(
                f"no fold before {judged} has a list that holds a relevant item; "
                "add label folds to folds"
            )
        data = dataset(earlier, params, run.seed)
        models = [train(data, params, run, number) for number in range(params.n_seeds)]
        ranker_models.save(judged, models)
        report(
            f"{judged}: {data.num_data():,} candidates in "
            f"{sum(len(examples.group) for examples in earlier):,} lists"
        )
        if judged == "validation":
            write_plots(models, folds["validation"], params.n_estimators)


def write_plots(models: list[lgb.Booster], validation: Examples, n_trees: int) -> None:
    """feature_gain.csv and learning_curve.csv."""
    with whole(ranker_models.GAIN) as path:
        feature_gain(models).to_csv(path, index=False)
    with whole(ranker_models.CURVE) as path:
        learning_curve(models[:1], validation, n_trees).to_csv(path, index=False)


if __name__ == "__main__":
    run(main)
