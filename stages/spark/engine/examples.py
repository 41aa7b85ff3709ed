"""Training examples of a fold, computed on the executors and taken to the driver."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from boosting.examples import KEYS, schema
from factorization.als import AlsParams
from families import FeaturesParams, families_of, feature_matrix, rows_of
from families.context import FamilyOfFold
from folds.history import draw_users
from spark.engine.blocks import Block, block_of
from spark.engine.candidates import lists_in
from spark.engine.context import BlockContext, context_of, user_factors_of
from spark.engine.distributed import map_blocks
from spark.engine.item_side import ItemSide, Shipped
from spark.engine.passes import of_users
from spark.engine.settings import SparkParams

TYPES = {"user": "int", "item": "int", "label": "tinyint", "n_relevant": "int"}


def drawn(lists: DataFrame, group: str, most: int, seed: int) -> np.ndarray:
    """The users of the group whose lists teach, as stages/features.py draws them: int32."""
    is_warm = "is_retrieved" if group == "warm" else "not is_retrieved"
    users = lists.where(f"n_found > 0 and {is_warm}").select("user").toArrow()["user"]
    return draw_users(np.sort(users.to_numpy()).astype(np.int32), most, seed)


@dataclass(frozen=True)
class Computing:
    """Rows of logs with candidates -> the features of all their candidates, with KEYS."""

    files: Shipped
    group: str
    names: list[str]
    features: FeaturesParams
    als: AlsParams
    params: SparkParams

    def block(self, rows: pa.Table, side: ItemSide) -> tuple[Block, BlockContext]:
        block = block_of(rows, side.window, side.items)
        factors = user_factors_of(block, side, self.als, self.params.als)
        return block, context_of(block, side, factors, self.features)

    def families(self, context: BlockContext) -> list[FamilyOfFold]:
        chosen = self.features.groups if self.group == "warm" else self.features.cold_groups
        return families_of(context, chosen)

    def __call__(self, rows: pa.Table) -> pa.Table:
        block, context = self.block(rows, self.files.open())
        lists = lists_in(block.rows, self.names)
        matrix = feature_matrix(self.families(context), rows_of(lists, context.served.history))
        label = block.target.strength_of(lists.user, lists.item)
        users, n_relevant = np.unique(block.target.user, return_counts=True)
        of_user = np.zeros(int(lists.user.max(initial=0)) + 1, dtype=np.int32)
        of_user[users[users < len(of_user)]] = n_relevant[users < len(of_user)]
        keys = [lists.user, lists.item, label.astype(np.int8), of_user[lists.user]]
        columns = [*keys, *(np.ascontiguousarray(column) for column in matrix.values.T)]
        metadata = schema(matrix.names, matrix.categorical).metadata
        return pa.table(columns, names=[*KEYS, *matrix.names]).replace_schema_metadata(metadata)


def with_lists(logs: DataFrame, lists: DataFrame) -> DataFrame:
    """The rows of logs with the candidates of their users."""
    return logs.join(lists.drop("n_positives", "n_relevant", "n_found"), "user")


def collected(
    logs: DataFrame,
    lists: DataFrame,
    users: np.ndarray,
    files: Shipped,
    group: str,
    names: list[str],
    features: FeaturesParams,
    als: AlsParams,
    params: SparkParams,
) -> pa.Table:
    """The examples of these users, by user, in the file's columns."""
    computing = Computing(files, group, names, features, als, params)
    rows = with_lists(of_users(logs, users), of_users(lists, users))
    columns = computing(rows.limit(0).toArrow()).schema  # of no rows at all, on the driver
    own = columns.names[len(KEYS) :]
    kinds = [f"`{name}` {kind}" for name, kind in TYPES.items()] + [f"`{n}` float" for n in own]
    table = map_blocks(rows, computing, ", ".join(kinds)).toArrow()
    order = np.argsort(table["user"].to_numpy(), kind="stable")
    wanted = schema(own, []).with_metadata(columns.metadata)
    return table.take(pa.array(order)).cast(wanted)


def saved(examples: dict[str, pa.Table]) -> Callable[[Path], None]:
    """What writes the files of a fold into a folder."""

    def save(folder: Path) -> None:
        for group, table in examples.items():
            pq.write_table(
                table, folder / f"{group}.parquet", compression="none", use_dictionary=False
            )

    return save
