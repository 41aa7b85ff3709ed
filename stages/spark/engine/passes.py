"""The passes over users: what is done on the executors with each block, and to whom."""

from dataclasses import dataclass

from harness.params import Strict

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from factorization.als import AlsParams
from folds.history import draw_users
from retrieval.source import lists_of
from spark.engine.blocks import Block, block_of
from spark.engine.candidates import Sources, table_of
from spark.engine.context import user_factors_of
from spark.engine.distributed import map_blocks
from spark.engine.item_side import ItemSide, Shipped
from spark.engine.settings import SparkParams


def in_window(logs: DataFrame, window: int) -> DataFrame:
    """The rows of users with an interaction in the window."""
    return logs.where(F.array_contains("window", F.lit(window).cast("smallint")))


@dataclass(frozen=True)
class Relevant:
    """user int, is_cold boolean: users with a relevant item in the fold's target window."""

    files: Shipped

    def __call__(self, rows: pa.Table) -> pa.Table:
        side = self.files.open()
        block = block_of(rows, side.window, side.items)
        users = np.unique(block.target.user)
        is_cold = block.history.n_positives_of(users) == 0
        return pa.table({"user": users.astype(np.int32), "is_cold": is_cold})


def users_of_fold(rows: DataFrame, files: Shipped, most: int, seed: int) -> DataFrame:
    """The rows of those who can train a ranker: at most so many warm and so many cold ones."""
    found = map_blocks(rows, Relevant(files), "user int, is_cold boolean").toArrow()
    user, is_cold = (found[name].to_numpy() for name in ("user", "is_cold"))
    drawn = [
        draw_users(np.sort(user[of]).astype(np.int32), most, seed) for of in (~is_cold, is_cold)
    ]
    return of_users(rows, np.concatenate(drawn))


def of_users(rows: DataFrame, users: np.ndarray) -> DataFrame:
    """The rows of these users."""
    wanted = rows.sparkSession.createDataFrame(pa.table({"user": users.astype(np.int32)}))
    return rows.join(F.broadcast(wanted), "user", "left_semi")


@dataclass(frozen=True)
class Retrieval:
    """Rows of logs -> the candidate lists of their users."""

    files: Shipped
    is_judged: bool
    names: list[str]
    sources: Strict
    per_source: int
    als: AlsParams
    params: SparkParams

    def __call__(self, rows: pa.Table) -> pa.Table:
        side = self.files.open()
        block = block_of(rows, side.window, side.items)
        users = block.target.users if self.is_judged else np.unique(block.target.user)
        sources = self.sources_of(block, side)
        fitted = {name: sources.source(name, self.of(name)) for name in self.names}
        fallback = sources.source("recent_popular", self.of("recent_popular"))
        lists = lists_of(block.history, fitted, fallback, users, self.per_source)
        return table_of(lists, users, block.history, block.target)

    def of(self, name: str) -> object:
        """The parameters of a source."""
        return getattr(self.sources, name, None)

    def sources_of(self, block: Block, side: ItemSide) -> Sources:
        factors = user_factors_of(block, side, self.als, self.params.als)
        return Sources(block.history, side, factors, self.params.alive_windows)
