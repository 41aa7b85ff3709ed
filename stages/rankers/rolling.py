"""Trains the rankers of folds, each on the examples of other folds, those before its own."""

from collections.abc import Callable, Iterator

from core.examples import Examples
from core.params import SharedParams
from core.script import InputError, report

from rankers.lean_lightgbm import lightgbm as lgb
from rankers.training import RankerParams, dataset, train

Read = Callable[[str, str], Examples]  # (fold, warm or cold) -> the examples
# fold -> its target window, and the folds that its ranker is trained on, the latest first
TrainingFolds = dict[str, tuple[int, list[str]]]
Save = Callable[[str, str, list[lgb.Booster]], None]  # (fold, warm or cold, its models)


def training_sets(
    read: Read, group: str, folds: TrainingFolds
) -> Iterator[tuple[str, list[Examples]]]:
    """Yield each fold with the examples of warm or cold users of its training folds that have any.
    Only those of one fold are held in memory.
    """
    for fold, (_, earlier) in folds.items():
        found = (read(one, group) for one in earlier)
        yield fold, [examples for examples in found if len(examples.label)]


def check_folds(fold: str, found: list[Examples], n_folds: int, earlier: list[str]) -> None:
    """Raise InputError if a fold has no training examples; report it if it has few."""
    if len(earlier) < n_folds:
        report(
            f"{fold}: trained on {len(earlier)} folds, not on the {n_folds} of "
            "ranker.train_folds: folds has no more before it"
        )
    if not found:
        raise InputError(
            f"no candidate list of {', '.join(earlier)} has a relevant item, so the ranker of "
            f"{fold} has nothing to learn from; it needs more users, items or positives there"
        )


def train_group(
    read: Read,
    group: str,
    params: RankerParams,
    folds: TrainingFolds,
    shared: SharedParams,
    save: Save,
) -> None:
    """Train and save the rankers for warm or for cold users of every fold."""
    for judged, found in training_sets(read, group, folds):
        n_lists = sum(len(one.group) for one in found)
        if group == "warm":
            check_folds(judged, found, params.train_folds, folds[judged][1])
        elif n_lists < max(params.cold_min_lists, 1):
            report(
                f"{judged}: {n_lists} lists of cold users are fewer than ranker.cold_min_lists, "
                f"{params.cold_min_lists}: cold users get recent popular items as they are"
            )
            continue
        data = dataset(found, params, shared).construct()
        del found  # LightGBM has a copy in bins
        key = (folds[judged][0], int(group == "cold"))
        save(judged, group, train(data, params, shared, params.n_seeds, key))
        report(f"{judged}, {group} users: {data.num_data():,} candidates in {n_lists:,} lists")


def train_all(
    read: Read, params: RankerParams, folds: TrainingFolds, shared: SharedParams, save: Save
) -> None:
    """Train and save the rankers for warm users, and those for cold users if they have trees."""
    train_group(read, "warm", params, folds, shared, save)
    if params.cold_n_estimators:
        of_cold = params.model_copy(update={"n_estimators": params.cold_n_estimators})
        train_group(read, "cold", of_cold, folds, shared, save)
