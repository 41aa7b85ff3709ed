"""Hits of lists as rows of a data set, and judged lists from these rows."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from core.top_lists import TopLists, rows_of

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from evaluation.judged import Judged, judge
from models.popular import RecentPopularParams
from models.registry import Settings, settings_table
from models.scoring import filled, top_n
from spark.engine.blocks import Block, block_of, flat, lists_of
from spark.engine.data_sets import DataSets
from spark.engine.item_side import ITEM_SIDE, ItemSide, Shipped
from spark.engine.models import scores_of

MODELS = ("als", "hybrid")
NUMBERS = ("window", "n_positives", "n_relevant", "n_known", "n_popular")
NUMBERS += ("n_candidates", "n_found", "n_found_by_als")
HITS = ("hits", "popular_hits", "half_hits")
LOOKS = ("popularity", "diversity")


def schema_of(models: Iterable[str], n_halves: int = 0, looks_of: Iterable[str] = ()) -> str:
    """Return the columns of judged_rows, which have a row per served user.

    items_MODEL is the top k. All other columns are as in evaluation.judged.Judged, and null for
    users without a relevant item (is_judged): NUMBERS; hits_MODEL, popular_hits_MODEL and
    half_hits_NUMBER with k entries; popularity_MODEL and diversity_MODEL for the models `looks_of`.
    """
    columns = ["user int", "is_judged boolean", *(f"{name} int" for name in NUMBERS)]
    for what in ("hits", "popular_hits"):
        columns += [f"`{what}_{name}` array<boolean>" for name in models]
    columns += [f"half_hits_{number} array<boolean>" for number in range(n_halves)]
    columns += [f"`{what}_{name}` double" for what in LOOKS for name in looks_of]
    return ", ".join([*columns, *(f"`items_{name}` array<int>" for name in models)])


def judged_rows(
    block: Block,
    side: ItemSide,
    models: dict[str, TopLists],
    halves: list[TopLists],
    counts: np.ndarray,
    k: int,
    vectors: np.ndarray | None = None,
) -> pa.Table:
    """Return the rows of the served users of the block, ascending."""
    served, positives = block.target.users, side.item_counts[1].sum(axis=1)
    of = judge(block.history, block.target, models, halves, counts, k, vectors, positives)
    is_judged = np.isin(served, of.user)
    row = pa.array(np.cumsum(is_judged) - 1, mask=~is_judged)  # rows of judged users
    columns = {name: pa.array(getattr(of, name)).cast(pa.int32()) for name in NUMBERS}
    for what in HITS:
        for name, hits in getattr(of, what).items():
            columns[f"{what}_{name}"] = lists_of(of.user, np.repeat(of.user, k), hits.ravel())
    for what in LOOKS:
        columns |= {f"{what}_{name}": pa.array(v) for name, v in getattr(of, what).items()}
    lists = {
        f"items_{name}": lists_of(served, top.user, top.item.astype(np.int32))
        for name, top in models.items()
    }
    taken = {name: column.take(row) for name, column in columns.items()}
    return pa.table({"user": served.astype(np.int32), "is_judged": is_judged, **taken, **lists})


@dataclass(frozen=True)
class Contending:
    """Function from rows of logs to judged_rows of every setting of every baseline."""

    files: Shipped
    settings: Settings
    fallback: RecentPopularParams
    alive_windows: int
    k: int

    def __call__(self, rows: pa.Table) -> pa.Table:
        side, k = self.files.open(), self.k
        block = block_of(rows, side.window, side.items)
        history, users, alive = block.history, block.target.users, side.alive(self.alive_windows)
        known, is_warm = history.user_of(users), history.n_positives_of(users) > 0
        recent = scores_of(("recent_popular", self.fallback), side, history)
        popular = top_n(recent, history, known, 2 * k, 1, alive)
        models = {}
        for name, of in self.settings.items():
            for number, setting in of.items():
                scores = scores_of((name, setting), side, history)
                own = top_n(scores, history, known[is_warm], k, 1, alive)
                lists = filled(own, is_warm, popular, k)
                models[f"{name} {number}"] = rows_of(users, lists, history.items)
        nothing = np.zeros(len(np.unique(block.target.user)), dtype=np.int64)
        counts = np.stack([nothing] * 3)
        return judged_rows(block, side, models, [], counts, k)


def names_of(settings: Settings) -> list[str]:
    """Return the column name `MODEL NUMBER` of every setting."""
    return [f"{name} {number}" for name, of in settings.items() for number in of]


def coverage(rows: DataFrame, models: Iterable[str], n_items: int) -> dict[str, dict]:
    """Return Judged.coverage of a fold, counted by Spark from the rows of its users."""
    lists = F.create_map(*[part for m in models for part in (F.lit(m), F.col(f"`items_{m}`"))])
    shown = rows.select("is_judged", "n_positives", F.explode(lists).alias("model", "items"))
    shown = shown.select("is_judged", "n_positives", "model", F.explode("items").alias("item"))
    groups = {
        "all": F.lit(True),
        "warm": F.col("is_judged") & (F.col("n_positives") > 0),
        "cold": F.col("is_judged") & (F.col("n_positives") == 0),
    }
    counted = [
        F.countDistinct(F.when(is_in, F.col("item"))).alias(n) for n, is_in in groups.items()
    ]
    found = {row["model"]: row for row in shown.groupBy("model").agg(*counted).collect()}
    return {
        group: {name: found[name][group] / n_items if name in found else 0.0 for name in models}
        for group in groups
    }


def collected(sets: DataSets, fold: str, settings: Settings) -> tuple[Judged, pa.ChunkedArray]:
    """Return the judged lists of a fold by user, and their user_id.

    They have the hits of als, the hybrid and every setting of the baselines.
    """
    ranked = sets.read("recommend", f"judged/{fold}")
    contenders = sets.read("baselines", f"baselines/{fold}")
    users = sets.read("ingest", "users").select("user", "user_id")
    name = ITEM_SIDE.format(fold=fold)
    sets.check("item_side", name)
    n_items = json.loads(sets.files.read_utf8(sets.path(f"{name}/fold.json")))["n_items"]
    rows = ranked.where("is_judged").join(users, "user").toArrow().sort_by("user")
    others = contenders.where("is_judged").toArrow().sort_by("user")
    numbers = {name: rows[name].to_numpy().astype(np.int64) for name in NUMBERS}
    hits = {
        what: {
            name.removeprefix(f"{what}_"): flat(table[name]).reshape(len(rows), -1)
            for table in (rows, others)
            for name in table.column_names
            if name.startswith(f"{what}_")
        }
        for what in HITS
    }
    looks = {what: {of: rows[f"{what}_{of}"].to_numpy() for of in MODELS} for what in LOOKS}
    shown = coverage(ranked, MODELS, n_items), coverage(contenders, names_of(settings), n_items)
    of_all = {group: of | shown[1][group] for group, of in shown[0].items()}
    user = rows["user"].to_numpy()
    judged = Judged(user=user, **numbers, **hits, **looks, coverage=of_all, n_items=n_items)
    return judged, rows["user_id"]


def tried(judged: list[Judged], settings: Settings) -> pd.DataFrame:
    """Return the settings_table of the baselines: all settings with MAP over these folds' lists."""
    total = {
        (name, number): float(np.sum([of.ap(f"{name} {number}").sum() for of in judged]))
        for name, by_number in settings.items()
        for number in by_number
    }
    return settings_table(settings, total, sum(len(of.user) for of in judged))


def with_best(judged: Judged, best: dict[str, int]) -> Judged:
    """Return the lists with the best setting of each baseline, under the baseline's name."""
    names = {name: name for name in MODELS} | {name: f"{name} {n}" for name, n in best.items()}

    def chosen(of: dict) -> dict:
        return {name: of[own] for name, own in names.items()}

    return replace(
        judged,
        hits=chosen(judged.hits),
        popular_hits=chosen(judged.popular_hits),
        coverage={group: chosen(of) for group, of in judged.coverage.items()},
    )
