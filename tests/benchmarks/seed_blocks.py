"""Compares two settings of the ranker over blocks of seeds, on the validation folds.

usage: python tests/benchmarks/seed_blocks.py CHANGE [CHANGE ...] [--blocks 3]    (after dvc repro)
       CHANGE: without=FEATURE,FEATURE,... (column names; a name that ends with * is a prefix), or
       a parameter of the ranker such as num_leaves=21
out:   on stdout, over the lists of warm users: MAP@k of the present and of the changed setting for
       each block; then the means over the blocks and their difference with its 95 % interval

A block is a system with its own seeds of rankers and negatives. One block cannot choose a setting:
other seeds move MAP@k as much as most settings do. Lists of cold users are left out, because the
ranker does not rank them.
"""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "stages"))

from core import folds
from core.examples import Examples
from core.history import load_history
from core.params import section, shared_params
from core.top_lists import EvaluateParams

import numpy as np
from ruamel.yaml import YAML

from evaluation.bootstrap import bootstrap
from rankers.training import RankerParams
from same_system import TOP, system


def without(patterns: list[str]) -> Callable[[Examples], Examples]:
    """Return a function that drops the columns whose names fit a pattern."""

    def select(of: Examples) -> Examples:
        kept = [not any(fnmatch(name, one) for one in patterns) for name in of.names]
        names = [name for name, keep in zip(of.names, kept, strict=True) if keep]
        categorical = [name for name in of.categorical if name in names]
        return replace(of, values=of.values[:, kept], names=names, categorical=categorical)

    return select


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("changes", nargs="+", metavar="CHANGE")
    parser.add_argument("--blocks", type=int, default=3)
    given = parser.parse_args()
    os.chdir(TOP)
    shared, params = shared_params(), section("ranker", RankerParams)
    evaluate = section("evaluate", EvaluateParams)
    dropped, changed = [], params
    for change in given.changes:
        key, _, value = change.partition("=")
        if key == "without":
            dropped += value.split(",")
        else:
            changed = changed.model_copy(update={key: YAML(typ="safe").load(value)})
    gains = []
    for number in range(given.blocks):
        own = shared.model_copy(update={"seed": shared.seed + number})
        systems = [
            system(own, of, evaluate, select)
            for of, select in ((params, without([])), (changed, without(dropped)))
        ]
        user, fold = systems[0].values("user_id"), systems[0].values("fold")
        is_warm = np.concatenate(
            [
                load_history(name).n_positives_of(user[fold == name]) > 0
                for name in folds.load().of_kind("validation")
            ]
        )
        old, new = (one.values("ap")[is_warm] for one in systems)
        gains.append((old, new))
        print(f"block {number}: {old.mean():.4f} -> {new.mean():.4f}", flush=True)
    old, new = np.mean(gains, axis=0)
    found = bootstrap(new - old, user[is_warm], evaluate.n_resamples, shared.seed)
    print(
        f"{given.blocks} blocks, {len(old)} warm lists: {old.mean():.4f} -> {new.mean():.4f}, "
        f"{(new - old).mean():+.4f} ({found['ci95_low']:+.4f} to {found['ci95_high']:+.4f})"
    )


if __name__ == "__main__":
    main()
