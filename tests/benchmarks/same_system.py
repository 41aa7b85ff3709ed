"""How often a comparison calls the same system significantly different from itself (an A/A test).

usage: python tests/benchmarks/same_system.py [N]     (after dvc repro; N = 20 systems)

Trains the rankers of the validation folds N times with other seeds, on the same features, and
compares every pair as `evaluate` compares the hybrid with ALS. Seeds change nothing that matters,
so every significant pair is a false alarm. Prints the share of pairs with p < 0.05, the standard
deviation of the pooled MAP@k over the systems, and the one that `hybrid.seed_sd` claims.
"""

import itertools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "stages"))

from core import folds, metrics  # noqa: E402
from core.history import load_fold  # noqa: E402
from core.params import SharedParams, section, shared_params  # noqa: E402
from core.top_lists import EvaluateParams, top_k  # noqa: E402

import numpy as np  # noqa: E402
from tqdm import tqdm  # noqa: E402

from evaluation.bootstrap import bootstrap  # noqa: E402
from rankers import examples  # noqa: E402
from rankers.examples import Examples  # noqa: E402
from rankers.trained import predict  # noqa: E402
from rankers.training import RankerParams, dataset, sample_negatives, train  # noqa: E402

SEEDS_APART = 1000  # more than any n_seeds, so that no two systems share a model


def judged_lists(judged: list[str]) -> dict[str, np.ndarray]:
    """The users of each fold's lists: rows of users.parquet."""
    return {fold: np.unique(load_fold(fold)[1].user) for fold in judged}


def ap_of(judged: Examples, score: np.ndarray, users: np.ndarray, k: int) -> np.ndarray:
    """AP@k of each of these users; 0 for those whose list holds nothing relevant, and for cold
    users, whose models are not compared: float64 (n_users,).
    """
    top = top_k(judged.user, np.arange(len(judged.user)), score, k)  # .item: rows of judged
    hits = np.zeros((len(judged.group), k), dtype=bool)
    hits[judged.list_of_row[top.item], top.rank - 1] = judged.label[top.item] > 0
    ap = np.zeros(len(users))
    found = metrics.average_precision(hits, judged.n_relevant[judged.starts])
    ap[np.searchsorted(users, judged.user[judged.starts])] = found
    return ap


def system(
    shared: SharedParams,
    params: RankerParams,
    users: dict,
    k: int,
    select: Callable[[Examples], Examples] = lambda found: found,
) -> np.ndarray:
    """AP@k of every list of the validation folds, by rankers with the seed of `shared`; `select`
    may leave out features.
    """
    found = []
    for fold, judged_users in users.items():
        earlier = [
            select(examples.read(name, "warm"))
            for name in folds.load().before(fold, params.train_folds)
        ]
        sampled = [sample_negatives(one, params.negatives, shared.seed) for one in earlier]
        data = dataset([one for one in sampled if len(one.label)], params, shared)
        models = train(data, params, shared, params.n_seeds)
        judged = select(examples.read(fold, "warm"))
        score = predict(models, judged.values, shared.n_threads).mean(axis=0)
        found.append(ap_of(judged, score, judged_users, k))
    return np.concatenate(found)


def main() -> None:
    os.chdir(TOP)
    n_systems = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    shared, params = shared_params(), section("ranker", RankerParams)
    evaluate = section("evaluate", EvaluateParams)
    users = judged_lists(folds.load().of_kind("validation"))
    user = np.concatenate(list(users.values()))
    seeds = [shared.seed + SEEDS_APART * number for number in range(1, n_systems + 1)]
    ap = [
        system(shared.model_copy(update={"seed": seed}), params, users, evaluate.k)
        for seed in tqdm(seeds, "systems", disable=None)
    ]
    p_values = [
        bootstrap(one - other, user, evaluate.n_resamples, shared.seed)["p_value"]
        for one, other in itertools.combinations(ap, 2)
    ]
    claimed = json.loads(Path("metrics/validation.json").read_text())["hybrid"]["seed_sd"]
    print(f"{n_systems} systems, {len(p_values)} pairs, {len(user)} lists")
    print(f"pairs called significant at 5 %: {np.mean(np.array(p_values) < 0.05):.1%}")
    print(f"standard deviation of MAP@{evaluate.k}: {np.std([a.mean() for a in ap], ddof=1):.5f}")
    print(f"hybrid.seed_sd: {claimed:.5f}")


if __name__ == "__main__":
    main()
