"""Features of candidate lists, for training examples and for ranking."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.candidate_lists import Candidates
from core.examples import KEYS, schema
from core.history import draw_users
from core.top_lists import top_k

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from evaluation.judged import als_top, candidate_counts
from families import FeaturesParams, families_of, feature_matrix
from families.context import rows_of
from rankers import trained
from rankers.scoring import ensembles, scorer_of, scores
from rankers.trained import lgb
from spark.engine.blocks import Block, block_of, lists_of, map_blocks
from spark.engine.context import BlockContext, context_of
from spark.engine.item_side import Shipped
from spark.engine.judging import judged_rows
from spark.engine.lists import lists_in, of_users

TYPES = dict(zip(KEYS, ("int", "int", "tinyint", "int"), strict=True))  # types in Spark's notation
Texts = tuple[str, ...]  # models as LightGBM text


@dataclass(frozen=True)
class Described:
    """Everything needed to compute the features of candidate lists."""

    files: Shipped
    features: FeaturesParams

    def open(self, rows: pa.Table) -> tuple[Block, BlockContext, Candidates]:
        """Return the block, its context and its lists, from rows of logs with candidates."""
        side = self.files.open()
        block = block_of(rows, side.window, side.items)
        return block, context_of(block, side, self.features), lists_in(block.rows)


def with_lists(logs: DataFrame, lists: DataFrame) -> DataFrame:
    """Return the rows of logs with the candidates of their users."""
    return logs.join(lists.select("user", "n_relevant", "lists"), "user")


@dataclass(frozen=True)
class Examples:
    """Function from rows of logs with candidates to the features of all candidates, with KEYS."""

    described: Described

    def __call__(self, rows: pa.Table) -> pa.Table:
        block, context, lists = self.described.open(rows)
        families = families_of(context, self.described.features.groups)
        matrix = feature_matrix(families, rows_of(lists, context.served.history))
        label = block.target.strength_of(lists.user, lists.item).astype(np.int8)
        row = np.searchsorted(block.users, lists.user)
        n_relevant = block.rows["n_relevant"].to_numpy()[row]
        columns = [lists.user, lists.item, label, n_relevant]
        columns += [np.ascontiguousarray(column) for column in matrix.values.T]
        metadata = {"categorical": json.dumps(matrix.categorical)}
        return pa.table(columns, [*KEYS, *matrix.names], metadata=metadata)


def examples_of(
    described: Described, logs: DataFrame, lists: DataFrame, most: int, seed: int
) -> pa.Table:
    """Return the training examples, by user, in the columns of the file.

    They are the lists with a relevant item of at most `most` warm users, the same sample as in
    stages/features.py.
    """
    found = lists.where("n_found > 0 and is_retrieved").select("user").toArrow()["user"]
    users = draw_users(np.sort(found.to_numpy()), most, seed)
    examples = Examples(described)
    rows = with_lists(of_users(logs, users), of_users(lists, users))
    columns = examples(rows.limit(0).toArrow()).schema  # computed from zero rows on the driver
    own = columns.names[len(KEYS) :]
    kinds = {**TYPES, **dict.fromkeys(own, "float")}
    types = ", ".join(f"`{name}` {kind}" for name, kind in kinds.items())
    table = map_blocks(rows, examples, types).toArrow()
    order = pc.sort_indices(table, [("user", "ascending")])  # stable
    return table.take(order).cast(schema(own, []).with_metadata(columns.metadata))


def saved(examples: pa.Table) -> Callable[[Path], None]:
    """Return a function that writes the file of a fold into a folder."""

    def save(folder: Path) -> None:
        path = folder / "examples.parquet"
        pq.write_table(examples, path, compression="none", use_dictionary=False)

    return save


def texts_of(folder: Path, fold: str) -> Texts:
    """Read the models of a fold from the folder written by `ranker`."""
    return tuple(model.model_to_string() for model in trained.load(fold, folder))


@lru_cache(maxsize=2)
def boosters_of(texts: Texts) -> list[lgb.Booster]:
    """Return the models, which each worker parses only once."""
    return [lgb.Booster(model_str=text) for text in texts]


@dataclass(frozen=True)
class Ranking:
    """Function from rows of logs with candidates to the top k of each user and its hits.

    Columns are hybrid_item, hybrid_score, and those of judging.schema_of for als and hybrid.
    """

    described: Described
    texts: Broadcast
    k: int

    def __call__(self, rows: pa.Table) -> pa.Table:
        block, context, lists = self.described.open(rows)
        scorer = scorer_of(boosters_of(self.texts.value), context, context.params.groups)
        score = scores(lists, scorer, 1)
        hybrid, *halves = (top_k(lists.user, lists.item, one, self.k) for one in ensembles(score))
        judged = np.unique(block.target.user)
        counts = candidate_counts(lists, block.target, judged)
        top = {"als": als_top(lists, self.k), "hybrid": hybrid}
        table = judged_rows(block, context.side, top, halves, counts, self.k, context.side.vectors)
        score = lists_of(block.target.users, hybrid.user, hybrid.score)
        return table.append_column("hybrid_score", score)


def recommended(judged: DataFrame, users: DataFrame, items: DataFrame) -> DataFrame:
    """Return user_id, item_id, rank, score of each user's top k."""
    rows = judged.select(
        "user", F.posexplode(F.arrays_zip("items_hybrid", "hybrid_score")).alias("place", "top")
    )
    rows = rows.select(
        "user",
        F.col("top.items_hybrid").alias("item"),
        (F.col("place") + 1).cast("smallint").alias("rank"),
        F.col("top.hybrid_score").alias("score"),
    )
    rows = rows.join(items.select("item", "item_id"), "item")
    rows = rows.join(users.select("user", "user_id"), "user")
    rows = rows.repartitionByRange("user").sortWithinPartitions("user", "rank")
    return rows.select("user_id", "item_id", "rank", "score")
