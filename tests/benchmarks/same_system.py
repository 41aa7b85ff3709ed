"""Measures what other seeds of the rankers change, and whether another setting of them is better.

usage: python tests/benchmarks/same_system.py [--n 60]                      (after dvc repro)
       python tests/benchmarks/same_system.py CHANGE [CHANGE ...] [--n 3]
       CHANGE: without=FEATURE,FEATURE,... (names of columns; * stands for any characters), or a
       parameter of the ranker such as num_leaves=21
out:   on stdout, without CHANGE, an A/A test of n systems: the share of pairs that compare.py calls
       different at 5 %; the standard deviation of MAP@k over the systems, and the root mean square
       of their `hybrid.seed_sd`; the smallest true difference that is found in 80 % of pairs, if
       all lists change alike
       with CHANGE, over the lists of warm users: MAP@k of the present and of the changed setting
       for each of n blocks; then the means over the blocks and their difference with its 95 %
       interval

A system, or a block, has its own seeds of the rankers of the validation folds. ALS, candidates,
features and the lists of cold users do not change. Seeds make no system better, so every
significant pair is a false alarm. One block cannot choose a setting: other seeds move MAP@k as much
as most settings do.
"""

import argparse
import os
import sys
from dataclasses import replace
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "stages"))

from core import examples, folds, metrics  # noqa: E402
from core.candidate_lists import CandidateListParams  # noqa: E402
from core.examples import Examples  # noqa: E402
from core.folds import Folds  # noqa: E402
from core.history import load_fold, load_history  # noqa: E402
from core.params import SharedParams, kind_of, section, shared_params  # noqa: E402
from core.top_lists import EvaluateParams, top_k  # noqa: E402

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from ruamel.yaml import YAML  # noqa: E402
from tqdm import tqdm  # noqa: E402

from evaluation.bootstrap import bootstrap  # noqa: E402
from experiments.outcome import Outcome  # noqa: E402
from experiments.paired import METRICS, SIGNIFICANT, against  # noqa: E402
from rankers.scoring import ensembles  # noqa: E402
from rankers.trained import predict  # noqa: E402
from rankers.training import RankerParams, train_all  # noqa: E402

read = cache(examples.read)


@cache
def lists_of(fold: str) -> tuple[np.ndarray, pa.Table]:
    """Return the users of the fold's lists, rows of users.parquet, and their rows in per_user."""
    candidates = section("candidates", CandidateListParams)
    _, target = load_fold(fold, candidates, shared_params().seed)
    return np.unique(target.user), pq.read_table(f"data/per_user/{fold}.parquet")


def hits_of(judged: Examples, score: np.ndarray, k: int) -> np.ndarray:
    """Return whether the item at each rank of each list is relevant: bool (n_lists, k)."""
    top = top_k(judged.user, np.arange(len(judged.user)), score, k)  # .item: rows of judged
    hits = np.zeros((len(judged.group), k), dtype=bool)
    hits[judged.list_of_row[top.item], top.rank - 1] = judged.label[top.item] > 0
    return hits


def system(
    shared: SharedParams, params: RankerParams, evaluate: EvaluateParams, dropped: list[str]
) -> Outcome:
    """Return the lists of the validation folds by rankers with the seed of `shared`.

    dropped  patterns of names of columns that the rankers do not use
    """
    windows = {of: at for of, at in folds.load().windows.items() if kind_of(of) != "test"}
    known = Folds(windows)

    def selected(fold: str) -> Examples:
        of = read(fold)
        names = [name for name in of.names if not any(fnmatch(name, one) for one in dropped)]
        categorical = [name for name in of.categorical if name in names]
        values = of.values[:, np.isin(of.names, names)] if dropped else of.values
        return replace(of, values=values, names=names, categorical=categorical)

    folds_of = known.training(params.train_folds)
    boosters = dict(train_all(selected, params, folds_of, shared))
    tables = []
    for fold in known.judged:
        of, (users, lists) = selected(fold), lists_of(fold)
        n_relevant, own = lists["n_relevant"].to_numpy(), np.isin(users, of.user)
        score = predict(boosters[fold], of.values, shared.n_threads)
        hits = [hits_of(of, one, evaluate.k) for one in ensembles(score)]
        columns = {"user_id": users, "n_relevant": n_relevant}
        for name, metric in (("ap", metrics.average_precision), ("ndcg", metrics.ndcg)):
            values = np.tile(lists[f"{name}_hybrid"].to_numpy(), (len(hits), 1))
            values[:, own] = [metric(one, n_relevant[own]) for one in hits]
            columns[name], columns[f"halves_{name}"] = values[0], list(values[1:].T)
        columns |= {"fold": [fold] * len(users), "window": [known.windows[fold]] * len(users)}
        tables.append(pa.table(columns))
    keys = {"evaluate.k": evaluate.k, "evaluate.n_resamples": 1000, "seed": 0}
    return Outcome(str(shared.seed), "", keys, {}, "", pa.concat_tables(tables), has_seeds=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("changes", nargs="*", metavar="CHANGE")
    parser.add_argument("--n", type=int, help="number of systems or blocks")
    given = parser.parse_args()
    os.chdir(TOP)
    shared, params = shared_params(), section("ranker", RankerParams)
    evaluate = section("evaluate", EvaluateParams)
    changed, dropped = {}, []
    for key, _, value in (change.partition("=") for change in given.changes):
        if key == "without":
            dropped += value.split(",")
        else:
            changed[key] = YAML(typ="safe").load(value)

    def systems(params: RankerParams, dropped: list[str]) -> list[Outcome]:
        numbers = tqdm(range(given.n or (3 if given.changes else 60)), "systems", disable=None)
        seeds = (shared.model_copy(update={"seed": shared.seed + number}) for number in numbers)
        return [system(own, params, evaluate, dropped) for own in seeds]

    present = systems(params, [])
    if given.changes:
        others = systems(params.model_copy(update=changed), dropped)
        print_gain(present, others, evaluate.n_resamples, shared.seed)
    else:
        print_pairs(present)


def print_gain(present: list[Outcome], others: list[Outcome], n_resamples: int, seed: int) -> None:
    """Print the MAP of warm users for each block, and the gain over all blocks."""
    user, fold = present[0].values("user_id"), present[0].values("fold")
    is_warm = np.zeros(len(user), dtype=bool)
    for name in np.unique(fold):
        is_warm[fold == name] = load_history(name).n_positives_of(user[fold == name]) > 0
    ap = np.array([[one.values("ap")[is_warm] for one in of] for of in (present, others)])
    for number, (old, new) in enumerate(ap.mean(axis=2).T):
        print(f"block {number}: {old:.4f} -> {new:.4f}")
    old, new = ap.mean(axis=1)
    found = bootstrap(new - old, user[is_warm], n_resamples, seed)
    print(
        f"{len(present)} blocks, {len(old)} warm lists: {old.mean():.4f} -> {new.mean():.4f}, "
        f"{(new - old).mean():+.4f} ({found['ci95_low']:+.4f} to {found['ci95_high']:+.4f})"
    )


def print_pairs(systems: list[Outcome]) -> None:
    """Compare every pair and print the figures."""
    pairs = [
        tests
        for at, first in enumerate(tqdm(systems[:-1], "pairs of", disable=None))
        for tests in against(first, systems[at + 1 :])
    ]
    print(f"{len(systems)} systems, {len(pairs)} pairs, {len(systems[0].lists)} lists")
    for name, of in METRICS.items():
        tests = [pair[name] for pair in pairs]
        is_different = [test["p_value"] < SIGNIFICANT for test in tests]
        spread = np.std([one.values(of).mean() for one in systems], ddof=1)
        claimed = np.sqrt(np.mean([one.seed_variance(of)[0] for one in systems]))
        needed = [
            test["min_detectable"] * 1.96 / 2.8 + sign * test["difference"]
            for test in tests
            for sign in (-1, 1)
        ]
        print(
            f"{name}: {np.mean(is_different):.1%} of pairs called different; standard deviation "
            f"{spread:.5f}, root mean square of seed_sd {claimed:.5f}; a true difference of "
            f"{np.quantile(needed, 0.8):.4f} is found in 80 % of pairs"
        )


if __name__ == "__main__":
    main()
