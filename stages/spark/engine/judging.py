"""What a block's lists are worth, as rows of a data set, and a fold's rows as judged lists."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from evaluation.judge import CandidateCounts, Judged, head, judge
from evaluation.top_lists import TopLists
from spark.engine.blocks import Block
from spark.engine.item_side import ItemSide

NUMBERS = (
    "n_positives",
    "n_relevant",
    "n_known",
    "n_popular",
    "n_candidates",
    "n_found",
    "n_found_by_als",
)
BITS = ("hits", "popular_hits", "single_hits")
# A row a user served. `items`: of each model one after the other its k items, -1 where it has no
# more. Of users with a relevant item (is_judged) also NUMBERS, as in evaluation.judge.Judged, and
# BITS: of each model one after the other k bytes of 0 or 1.
SCHEMA = ", ".join(
    [
        "user int, is_judged boolean, items array<int>",
        *(f"{name} int" for name in NUMBERS),
        *(f"{name} binary" for name in BITS),
    ]
)


def judged_rows(
    block: Block,
    side: ItemSide,
    models: dict[str, TopLists],
    single: list[TopLists],
    counts: CandidateCounts,
    k: int,
) -> pa.Table:
    """The rows of the block's users served, ascending."""
    served = block.target.users
    is_popular = head(side.item_counts[1].sum(axis=1))
    of = judge(block.history, block.target, models, single, counts, k, is_popular)
    at = np.searchsorted(served, of.user)
    columns = {
        "user": served.astype(np.int32),
        "is_judged": np.isin(served, of.user),
        "items": lists_column(items_of(list(models.values()), served, k)),
    }
    for name in NUMBERS:
        values = np.zeros(len(served), dtype=np.int32)
        values[at] = getattr(of, name)
        columns[name] = values
    for name in BITS:
        hits = list(getattr(of, name).values())
        rows = np.concatenate(hits, axis=1) if hits else np.zeros((len(of.user), 0), dtype=bool)
        values = np.full(len(served), b"", dtype=object)
        values[at] = [row.tobytes() for row in rows]
        columns[name] = pa.array(values, pa.binary())
    return pa.table(columns)


def items_of(models: Sequence[TopLists], users: np.ndarray, k: int) -> np.ndarray:
    """int32 (n_users, n_models, k): the items of each model's lists, -1 where it has no more."""
    items = np.full((len(users), len(models), k), -1, dtype=np.int32)
    for number, lists in enumerate(models):
        items[np.searchsorted(users, lists.user), number, lists.rank - 1] = lists.item
    return items


def lists_column(values: np.ndarray) -> pa.Array:
    """A list a row, of all that the row holds."""
    width = int(np.prod(values.shape[1:]))
    offsets = (np.arange(len(values) + 1) * width).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(values.ravel()))


def coverage(rows: DataFrame, models: list[str], k: int, n_items: int) -> dict[str, dict]:
    """Judged.coverage of a fold, from the rows of its users: counted by Spark."""
    shown = rows.select("is_judged", "n_positives", F.posexplode("items").alias("place", "item"))
    shown = shown.where("item >= 0").withColumn("model", F.floor(F.col("place") / k).cast("int"))
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
        group: {
            name: found[number][group] / n_items if number in found else 0.0
            for number, name in enumerate(models)
        }
        for group in groups
    }


def hits_of(table: pa.Table, name: str, names: list[str], k: int) -> dict[str, np.ndarray]:
    """By model, bool (n_lists, k), from one of BITS."""
    rows = b"".join(table[name].to_pylist())
    hits = np.frombuffer(rows, dtype=bool).reshape(table.num_rows, len(names), k)
    return {model: hits[:, number] for number, model in enumerate(names)}


def judged_of(
    table: pa.Table,
    models: list[str],
    baselines: pa.Table,
    settings: dict[str, int],
    names: list[str],
    coverage_of: dict[str, dict],
    n_items: int,
    k: int,
) -> Judged:
    """The lists of a fold.

    table      of ALS and the hybrid, baselines of all settings: the rows of the judged, by user
    models     als and hybrid; names  of the columns of all settings: MODEL NUMBER
    settings   the number of each baseline's setting; coverage_of  of these models and baselines
    """
    n_single = len(table["single_hits"][0].as_py()) // k
    singles = [str(number) for number in range(n_single)]
    hits = {}
    for what in ("hits", "popular_hits"):
        every = hits_of(baselines, what, names, k)
        of_baselines = {name: every[f"{name} {number}"] for name, number in settings.items()}
        hits[what] = hits_of(table, what, models, k) | of_baselines
    return Judged(
        user=table["user"].to_numpy(),
        **{name: table[name].to_numpy().astype(np.int64) for name in NUMBERS},
        **hits,
        single_hits=hits_of(table, "single_hits", singles, k),
        coverage=coverage_of,
        n_items=n_items,
    )
