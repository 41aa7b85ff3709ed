"""Trains the rankers of all judged folds, each on the examples of the folds before it."""

from collections.abc import Callable

from core.folds import Folds
from core.params import SharedParams
from core.script import InputError, report

from rankers.examples import Examples
from rankers.lean_lightgbm import lightgbm as lgb
from rankers.training import RankerParams, dataset, sample_negatives, train

Read = Callable[[str, str], Examples]  # (fold, warm or cold) -> the examples
Save = Callable[[str, str, list[lgb.Booster]], None]  # (judged fold, warm or cold, its models)


def training_sets(
    read: Read, group: str, params: RankerParams, folds: Folds, seed: int
) -> dict[str, list[Examples]]:
    """By judged fold, the examples of warm or cold users of the folds before it that have any."""
    sampled = {
        fold: sample_negatives(read(fold, group), params.negatives, seed)
        for fold in folds.names
        if fold != "test"
    }
    return {
        judged: [
            sampled[fold]
            for fold in folds.before(judged, params.train_folds)
            if len(sampled[fold].label)
        ]
        for judged in folds.judged
    }


def check_folds(training: dict[str, list[Examples]], n_folds: int, folds: Folds) -> None:
    """InputError where a judged fold has nothing to learn from; reports where it has little."""
    for judged, found in training.items():
        earlier = folds.before(judged, n_folds)
        if len(earlier) < n_folds:
            report(
                f"{judged}: trained on {len(earlier)} folds, not on the {n_folds} of "
                "ranker.train_folds: folds has no more before it"
            )
        if not found:
            raise InputError(
                f"none of {', '.join(earlier)} has a list that holds a relevant item, so the "
                f"ranker of {judged} has nothing to learn from; add label folds to folds"
            )


def train_group(
    read: Read, group: str, params: RankerParams, folds: Folds, shared: SharedParams, save: Save
) -> None:
    """Trains and saves the rankers for warm or for cold users of every judged fold."""
    training = training_sets(read, group, params, folds, shared.seed)
    if group == "warm":
        check_folds(training, params.train_folds, folds)
    for judged, found in training.items():
        n_lists = sum(len(one.group) for one in found)
        if group == "cold" and n_lists < max(params.cold_min_lists, 1):
            report(
                f"{judged}: {n_lists} lists of cold users are fewer than ranker.cold_min_lists, "
                f"{params.cold_min_lists}: cold users get recent popular items as they are"
            )
            continue
        data = dataset(found, params, shared)
        save(judged, group, train(data, params, shared, params.n_seeds))
        report(f"{judged}, {group} users: {data.num_data():,} candidates in {n_lists:,} lists")


def train_all(
    read: Read, params: RankerParams, folds: Folds, shared: SharedParams, save: Save
) -> None:
    """The rankers for warm users, and for cold ones if they are to have some."""
    train_group(read, "warm", params, folds, shared, save)
    if params.cold_n_estimators:
        of_cold = params.model_copy(update={"n_estimators": params.cold_n_estimators})
        train_group(read, "cold", of_cold, folds, shared, save)
