"""Trains the rankers of each judged fold on the labelled lists of the folds before it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Literal

from core.examples import Examples
from core.lists import list_of_row
from core.params import SharedParams, Strict
from core.script import InputError, report

import numpy as np
from pydantic import Field, model_validator
from tqdm import tqdm

from rankers.trained import lgb

Read = Callable[[str], Examples]  # fold -> the examples
# fold -> its target window, and the folds for training its ranker, latest first
TrainingFolds = dict[str, tuple[int, list[str]]]

# parameters that LightGBM gets as they are
OF_LIGHTGBM = {"objective", "learning_rate", "num_leaves", "min_data_in_leaf"}
OF_LIGHTGBM |= {"feature_fraction", "lambda_l2", "max_bin"}


class RankerParams(Strict):
    """Parameters of the ranker, with LightGBM's names if they exist."""

    objective: Literal["lambdarank", "rank_xendcg", "binary"]
    label: Literal["positive", "graded"]  # relevant or not; graded: strength of the feedback
    n_estimators: int = Field(ge=1, le=100_000)  # trees
    learning_rate: float = Field(gt=0, le=10)
    num_leaves: int = Field(ge=2, le=4096)  # per tree; unused leaves take memory, too
    min_data_in_leaf: int = Field(ge=0, le=10**9)  # rows
    feature_fraction: float = Field(gt=0, le=1)  # share of the features, sampled for each tree
    bagging_fraction: float = Field(gt=0, le=1)  # share of the rows, sampled for each tree
    lambda_l2: float = Field(ge=0, le=1e12)  # L2 regularisation of leaf values
    max_bin: int = Field(ge=2, le=255)  # bins of a feature
    truncation_level: int = Field(ge=1, le=100_000)  # lambdarank: ranks that matter; about k + 3
    negatives: int = Field(ge=0, le=1_000_000)  # irrelevant rows per list, sampled by seed; 0: all
    list_weight: float = Field(ge=0, le=2)  # w: rows of a list with n relevant rows weigh n^-w
    n_seeds: int = Field(ge=1, le=100)  # number of models whose scores are averaged
    train_folds: int = Field(ge=1, le=1000)  # folds before a judged fold that train its ranker

    @model_validator(mode="after")
    def _graded_needs_ranking(self) -> "RankerParams":
        if self.label == "graded" and self.objective == "binary":
            raise ValueError("ranker.label graded needs the objective lambdarank or rank_xendcg")
        return self


def sample_negatives(
    label: np.ndarray, group: np.ndarray, n_negatives: int, rng: np.random.Generator
) -> np.ndarray:
    """Return which rows to keep, bool (n_rows,): relevant rows, and n_negatives others per list.

    Irrelevant rows are sampled at random; 0 keeps all. group  sizes of the lists
    """
    if not n_negatives or group.max(initial=0) <= n_negatives:
        return np.ones(len(label), dtype=bool)
    draw = np.where(label > 0, np.inf, rng.random(len(label)))
    is_row = np.arange(group.max()) < group[:, None]  # (n_lists, longest)
    draws = np.full(is_row.shape, np.inf)
    draws[is_row] = draw
    last = np.partition(draws, n_negatives - 1, axis=1)[:, n_negatives - 1]
    return (label > 0) | (draw <= np.repeat(last, group))


def list_weights(label: np.ndarray, group: np.ndarray, exponent: float) -> np.ndarray:
    """Return the weight of each row, float64 (n_rows,), with mean 1.

    Weights are proportional to n ** -exponent, where n is the number of relevant rows in the list.
    MAP is a mean over users, but the loss is a sum over rows: with exponent 0, a few users with
    many relevant items dominate training.
    """
    rows = list_of_row(group)
    n_relevant = np.bincount(rows, label > 0)
    weight = np.maximum(n_relevant, 1.0)[rows] ** -exponent
    return weight / weight.mean()


def dataset(folds: list[Examples], params: RankerParams, shared: SharedParams) -> lgb.Dataset:
    """Return a LightGBM dataset with the rows of all folds. Each model is trained on a part."""
    label = np.concatenate([examples.label for examples in folds])
    settings = {"num_threads": shared.n_threads, "force_col_wise": True, "verbosity": -1}
    return lgb.Dataset(
        [examples.values for examples in folds],
        label if params.label == "graded" else label > 0,
        group=np.concatenate([examples.group for examples in folds]),
        feature_name=folds[0].names,
        categorical_feature=folds[0].categorical,
        params=params.model_dump(include={"max_bin", "min_data_in_leaf"}) | settings,
    )


def train(
    data: lgb.Dataset, params: RankerParams, shared: SharedParams, n_models: int, window: int
) -> list[lgb.Booster]:
    """Train the models 0 … n_models - 1 in parallel, each by one thread.

    A tree has too little work for several threads. Models are the same at any number of threads.
    All random draws of a model depend on seed, window (the target window of the judged fold) and
    number, so no two models share one.
    """
    data.construct()
    one = partial(train_one, data, params, (shared.seed, window, 0))
    with ThreadPoolExecutor(shared.n_threads) as threads:
        return list(tqdm(threads.map(one, range(n_models)), "models", n_models, disable=None))


def train_one(data: lgb.Dataset, params: RankerParams, key: tuple, number: int) -> lgb.Booster:
    """Train the model `number`, counted from 0, on its own sample of negatives."""
    rng = np.random.default_rng((*key, number))
    kept = sample_negatives(data.get_label(), data.get_group(), params.negatives, rng)
    own = data.subset(np.flatnonzero(kept).tolist()).construct()
    own.set_weight(list_weights(own.get_label(), own.get_group(), params.list_weight))
    seeds = ("feature_fraction_seed", "bagging_seed", "objective_seed", "extra_seed")
    settings = {
        **params.model_dump(include=OF_LIGHTGBM),
        # at least one row, otherwise LightGBM fails
        "bagging_fraction": max(params.bagging_fraction, min(1.0, 1.5 / own.num_data())),
        "bagging_freq": 1,
        "lambdarank_truncation_level": params.truncation_level,
        **dict.fromkeys(seeds, int(rng.integers(2**31))),
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    return lgb.train(settings, own, params.n_estimators)


def train_all(
    read: Read, params: RankerParams, folds: TrainingFolds, shared: SharedParams
) -> Iterator[tuple[str, list[lgb.Booster]]]:
    """Yield each fold with its rankers.

    Raises InputError if a fold has no training examples. Prints if training folds are missing.
    """
    for judged, (window, earlier) in folds.items():
        found = [examples for examples in map(read, earlier) if len(examples.label)]
        if len(earlier) < params.train_folds:
            report(
                f"{judged}: trained on {len(earlier)} folds instead of ranker.train_folds"
                f" ({params.train_folds}), because folds has no more before it"
            )
        if not found:
            raise InputError(
                f"no candidate list of {', '.join(earlier)} has a relevant item, so the ranker of"
                f" {judged} has no training data; it needs more users, items or positives there"
            )
        n_lists = sum(len(one.group) for one in found)
        data = dataset(found, params, shared).construct()
        del found  # LightGBM has its own binned copy
        yield judged, train(data, params, shared, params.n_seeds, window)
        report(f"{judged}: {data.num_data():,} candidates in {n_lists:,} lists")
