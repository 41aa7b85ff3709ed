"""Trains the rankers of each judged fold on the examples of the folds before it."""

from collections.abc import Callable, Iterator

from core.examples import Examples
from core.params import SharedParams
from core.script import InputError, report

from rankers.lean_lightgbm import lightgbm as lgb
from rankers.training import RankerParams, dataset, train

Read = Callable[[str, str], Examples]  # (fold, warm or cold) -> the examples
# fold -> its target window, and the folds for training its ranker, latest first
TrainingFolds = dict[str, tuple[int, list[str]]]
Save = Callable[[str, str, list[lgb.Booster]], None]  # (fold, warm or cold, its models)


def training_sets(
    read: Read, group: str, folds: TrainingFolds
) -> Iterator[tuple[str, list[Examples]]]:
    """Yield each fold with the examples of its training folds for warm or cold users.

    Training folds without examples are left out. Only the examples of one fold are in memory.
    """
    for fold, (_, earlier) in folds.items():
        found = (read(one, group) for one in earlier)
        yield fold, [examples for examples in found if len(examples.label)]


def check_folds(fold: str, found: list[Examples], n_folds: int, earlier: list[str]) -> None:
    """Raise InputError if a fold has no training examples. Print if training folds are missing."""
    if len(earlier) < n_folds:
        report(
            f"{fold}: trained on {len(earlier)} folds instead of ranker.train_folds ({n_folds}),"
            " because folds has no more before it"
        )
    if not found:
        raise InputError(
            f"no candidate list of {', '.join(earlier)} has a relevant item, so the ranker of "
            f"{fold} has no training data; it needs more users, items or positives there"
        )


def train_group(
    read: Read,
    group: str,
    params: RankerParams,
    folds: TrainingFolds,
    shared: SharedParams,
    save: Save,
) -> None:
    """Train and save the rankers of every fold for warm or cold users."""
    for judged, found in training_sets(read, group, folds):
        n_lists = sum(len(one.group) for one in found)
        if group == "warm":
            check_folds(judged, found, params.train_folds, folds[judged][1])
        elif n_lists < max(params.cold_min_lists, 1):
            report(
                f"{judged}: {n_lists} lists of cold users are fewer than ranker.cold_min_lists "
                f"({params.cold_min_lists}): group_popularity ranks their lists"
            )
            continue
        data = dataset(found, params, shared).construct()
        del found  # LightGBM has its own binned copy
        key = (folds[judged][0], int(group == "cold"))
        save(judged, group, train(data, params, shared, params.n_seeds, key))
        report(f"{judged}, {group} users: {data.num_data():,} candidates in {n_lists:,} lists")


def train_all(
    read: Read, params: RankerParams, folds: TrainingFolds, shared: SharedParams, save: Save
) -> None:
    """Train and save the rankers for warm users, and for cold users unless they have no trees."""
    train_group(read, "warm", params, folds, shared, save)
    if params.cold_n_estimators:
        of_cold = params.model_copy(update={"n_estimators": params.cold_n_estimators})
        train_group(read, "cold", of_cold, folds, shared, save)
