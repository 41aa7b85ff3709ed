"""Measures how often `compare.py` finds a difference between equal systems (an A/A test).

usage: python tests/benchmarks/same_system.py [N]     (after dvc repro; N = 60 systems)
out:   on stdout: the share of pairs of systems that are called different at 5 %; the standard
       deviation of MAP@k over the systems, and the root mean square of their `hybrid.seed_sd`; the
       smallest true difference that is found in 80 % of pairs, if all lists change alike

Trains the rankers of the validation folds N times, each time with another seed on the same
features: ALS, candidates and the lists of cold users do not change. The code of compare.py
compares every pair, with 1000 resamples. Seeds make no system better, so every significant pair is
a false alarm.
"""

import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "stages"))

from core import examples, folds, metrics  # noqa: E402
from core.candidate_lists import CandidateListParams  # noqa: E402
from core.examples import Examples  # noqa: E402
from core.folds import Folds  # noqa: E402
from core.history import load_fold  # noqa: E402
from core.params import SharedParams, kind_of, section, shared_params  # noqa: E402
from core.top_lists import EvaluateParams, top_k  # noqa: E402

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from tqdm import tqdm  # noqa: E402

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
    shared: SharedParams,
    params: RankerParams,
    evaluate: EvaluateParams,
    select: Callable[[Examples], Examples] = lambda found: found,
) -> Outcome:
    """Return the lists of the validation folds by rankers with the seed of `shared`.

    select  function that may leave out features
    """
    windows = {of: at for of, at in folds.load().windows.items() if kind_of(of) != "test"}
    known, boosters = Folds(windows), {}

    def selected(fold: str) -> Examples:
        return select(read(fold))

    folds_of = known.training(params.train_folds)
    train_all(selected, params, folds_of, shared, boosters.__setitem__)
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
    os.chdir(TOP)
    n_systems = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    shared, params = shared_params(), section("ranker", RankerParams)
    evaluate = section("evaluate", EvaluateParams)
    systems = [
        system(shared.model_copy(update={"seed": shared.seed + number}), params, evaluate)
        for number in tqdm(range(n_systems), "systems", disable=None)
    ]
    print_results(systems)


def print_results(systems: list[Outcome]) -> None:
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
