"""Trains LightGBM rankers on labelled candidate lists of several folds."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Literal

from core.lists import list_of_row
from core.params import SharedParams, Strict

import numpy as np
from pydantic import Field, model_validator
from tqdm import tqdm

from rankers.examples import Examples
from rankers.lean_lightgbm import lightgbm as lgb


class RankerParams(Strict):
    """Parameters of the ranker, by LightGBM's names where it has one."""

    objective: Literal["lambdarank", "rank_xendcg", "binary"]
    label: Literal["positive", "graded"]  # relevant or not, or the strength of the feedback
    n_estimators: int = Field(ge=1, le=100_000)  # trees
    cold_n_estimators: int = Field(ge=0, le=100_000)  # for cold users; 0 = none
    cold_min_lists: int = Field(ge=0, le=10_000_000)  # fewer cold lists train no ranker
    learning_rate: float = Field(gt=0, le=10)
    num_leaves: int = Field(ge=2, le=4096)  # of a tree; each takes memory, whether used or not
    min_data_in_leaf: int = Field(ge=0, le=10**9)  # rows
    feature_fraction: float = Field(gt=0, le=1)  # of the features, drawn for each tree
    bagging_fraction: float = Field(gt=0, le=1)  # of the rows, drawn for each tree
    lambda_l2: float = Field(ge=0, le=1e12)  # L2 regularisation of leaf values
    max_bin: int = Field(ge=2, le=255)  # bins of a feature
    truncation_level: int = Field(ge=1, le=100_000)  # lambdarank: ranks that matter; about k + 3
    negatives: int = Field(ge=0, le=1_000_000)  # irrelevant ones kept per list, by seed; 0 = all
    list_weight: float = Field(ge=0, le=2)  # w: rows of a list with n relevant ones weigh n^-w
    n_seeds: int = Field(ge=1, le=100)  # models whose scores are averaged
    train_folds: int = Field(ge=1, le=1000)  # folds before a judged one that teach its ranker

    @model_validator(mode="after")
    def _graded_needs_ranking(self) -> "RankerParams":
        if self.label == "graded" and self.objective == "binary":
            raise ValueError("ranker.label graded needs the objective lambdarank or rank_xendcg")
        return self


def sample_negatives(examples: Examples, n_negatives: int, seed: int) -> Examples:
    """All relevant rows, and n_negatives irrelevant rows of each list at random (0 = all), in the
    same order.
    """
    if not n_negatives:
        return examples
    list_of_row = examples.list_of_row
    draw = np.random.default_rng(seed).random(len(list_of_row))
    draw[examples.label > 0] = -1
    order = np.lexsort((draw, list_of_row))
    place = np.empty(len(list_of_row), dtype=np.int64)
    place[order] = np.arange(len(list_of_row)) - np.repeat(examples.starts, examples.group)
    n_relevant = np.bincount(list_of_row, examples.label > 0)
    return examples.take(place < n_relevant[list_of_row] + n_negatives)


def list_weights(label: np.ndarray, group: np.ndarray, exponent: float) -> np.ndarray:
    """The weight of each row, float64 (n_rows,), mean 1: proportional to n ** -exponent, with n the
    number of relevant rows in the row's list. MAP is a mean over users, but a loss is a sum over
    rows: with exponent 0, a few users with many relevant items decide what is learned.
    """
    rows = list_of_row(group)
    n_relevant = np.bincount(rows, label > 0)
    weight = np.maximum(n_relevant, 1.0)[rows] ** -exponent
    return weight / weight.mean()


def dataset(folds: list[Examples], params: RankerParams, shared: SharedParams) -> lgb.Dataset:
    """What LightGBM is trained on: the rows of all folds, fold after fold, lists contiguous."""
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
            "data_random_seed": shared.seed,
            "num_threads": shared.n_threads,
            "force_col_wise": True,
            "verbosity": -1,
            "min_data_in_leaf": params.min_data_in_leaf,
        },
    )


def train(
    data: lgb.Dataset, params: RankerParams, shared: SharedParams, n_models: int
) -> list[lgb.Booster]:
    """Trains models with the seeds 0 … n_models - 1, side by side, each by one thread: a tree has
    too little work for several. They are the same at any number of threads.
    """
    data.construct()
    with ThreadPoolExecutor(shared.n_threads) as threads:
        models = threads.map(partial(train_one, data, params, shared.seed), range(n_models))
        return list(tqdm(models, "models", n_models, disable=None))


def train_one(data: lgb.Dataset, params: RankerParams, seed: int, number: int) -> lgb.Booster:
    """Trains the model `number`, counted from 0."""
    settings = {
        "objective": params.objective,
        "learning_rate": params.learning_rate,
        "num_leaves": params.num_leaves,
        "min_data_in_leaf": params.min_data_in_leaf,
        "feature_fraction": params.feature_fraction,
        "lambda_l2": params.lambda_l2,
        "max_bin": params.max_bin,
        # at least one row, or LightGBM ends
        "bagging_fraction": max(params.bagging_fraction, min(1.0, 1.5 / data.num_data())),
        "bagging_freq": 1,
        "lambdarank_truncation_level": params.truncation_level,
        "feature_fraction_seed": seed + number,
        "bagging_seed": seed + number,
        "objective_seed": seed + number,
        "extra_seed": seed + number,
        "data_random_seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    return lgb.train(settings, data, params.n_estimators)
