"""The judged lists of the folds, taken to the driver."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from evaluation import metrics, per_user
from evaluation.judge import Judged
from spark.engine.contenders import names_of
from spark.engine.data_sets import DataSets
from spark.engine.judging import BITS, NUMBERS, coverage, hits_of, judged_of
from spark.engine.models import Settings

MODELS = ["als", "hybrid"]


@dataclass(frozen=True)
class Collected:
    """A row a list, by user, of ALS and the hybrid, and of all settings of the baselines; and the
    coverage of all of them.
    """

    rows: pa.Table
    baselines: pa.Table
    names: list[str]
    coverage: dict[str, dict[str, float]]
    n_items: int
    k: int

    @classmethod
    def read(cls, sets: DataSets, fold: str, settings: Settings, k: int) -> "Collected":
        names = names_of(settings)
        judged = sets.read("recommend", f"judged/{fold}")
        baselines = sets.read("baselines", f"baselines/{fold}")
        users = sets.read("ingest", "users").select("user", "user_id")
        n_items = n_items_of(sets, fold)
        columns = ["user", *NUMBERS, *BITS]
        rows = judged.where("is_judged").select(columns).join(users, "user").toArrow()
        others = baselines.where("is_judged").select("user", *BITS).toArrow()
        return cls(
            rows.sort_by("user"),
            others.sort_by("user"),
            names,
            merged(coverage(judged, MODELS, k, n_items), coverage(baselines, names, k, n_items)),
            n_items,
            k,
        )

    def judged(self, best: dict[str, int]) -> Judged:
        """The lists with the best setting of each baseline."""
        wanted = {name: f"{name} {number}" for name, number in best.items()}
        of_models = {
            group: {name: of[name] for name in MODELS}
            | {name: of[setting] for name, setting in wanted.items()}
            for group, of in self.coverage.items()
        }
        return judged_of(
            self.rows, MODELS, self.baselines, best, self.names, of_models, self.n_items, self.k
        )

    def per_user(self, fold: str, judged: Judged) -> Callable[[Path], None]:
        """What writes the results of every list into a folder."""
        numbered = replace(judged, user=np.arange(len(judged.user)))
        table = per_user.table_of(numbered, self.rows["user_id"])
        return lambda folder: pq.write_table(table, folder / f"{fold}.parquet", compression="zstd")


def merged(one: dict[str, dict], other: dict[str, dict]) -> dict[str, dict]:
    """The same groups with the models of both."""
    return {group: of | other[group] for group, of in one.items()}


def n_items_of(sets: DataSets, fold: str) -> int:
    """How many items the history of a fold knows."""
    name = f"item_side/{fold}.items"
    sets.check("item_side", name)
    return json.loads(sets.files.read_utf8(sets.path(f"{name}/fold.json")))["n_items"]


def tried(collected: dict[str, Collected], folds: list[str], settings: Settings) -> pd.DataFrame:
    """Of every setting the mean AP@k over the lists of these folds: the columns of
    data/baselines/settings.csv.
    """
    total = dict.fromkeys(names_of(settings), 0.0)
    n_lists = 0
    for fold in folds:
        of = collected[fold]
        n_relevant = of.rows["n_relevant"].to_numpy()
        n_lists += len(n_relevant)
        for name, hits in hits_of(of.baselines, "hits", of.names, of.k).items():
            total[name] += float(metrics.average_precision(hits, n_relevant).sum())
    rows = []
    for name, by_number in settings.items():
        best = max(by_number, key=lambda number, name=name: total[f"{name} {number}"])
        for number, setting in by_number.items():
            rows.append(
                {
                    "model": name,
                    "number": number,
                    "map": total[f"{name} {number}"] / n_lists,
                    "is_best": number == best,
                    "parameters": json.dumps(setting.model_dump()),
                }
            )
    return pd.DataFrame(rows)
