"""Candidate lists of blocks of users, and their data set with a row per user."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from core.candidate_lists import Candidates, of_columns
from core.history import Target, draw_users

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from models.als import AlsParams
from models.popular import RecentPopularParams
from models.registry import CandidatesParams
from models.scoring import Served, candidate_lists
from spark.engine.als import factors_of
from spark.engine.blocks import block_of, flat, lists_of, map_blocks
from spark.engine.item_side import Shipped
from spark.engine.models import Model, scores_of
from spark.params import SparkAlsParams


def in_window(logs: DataFrame, window: int) -> DataFrame:
    """Return the rows of users with an interaction in the window."""
    return logs.where(F.array_contains("window", F.lit(window).cast("smallint")))


def of_users(rows: DataFrame, users: np.ndarray) -> DataFrame:
    """Return the rows of these users."""
    wanted = rows.sparkSession.createDataFrame(pa.table({"user": users.astype(np.int32)}))
    return rows.join(F.broadcast(wanted), "user", "left_semi")


def training_users(rows: DataFrame, files: Shipped, most: int, seed: int) -> DataFrame:
    """Return the rows of warm users with a relevant item in the fold's target window.

    There are at most `most` users, the same sample as in core.history.training_users.
    """
    user = map_blocks(rows, partial(_relevant, files), "user int").toArrow()["user"].to_numpy()
    return of_users(rows, draw_users(np.sort(user), most, seed))


def _relevant(files: Shipped, rows: pa.Table) -> pa.Table:
    side = files.open()
    block = block_of(rows, side.window, side.items)
    users = np.unique(block.target.user)
    is_warm = block.history.n_positives_of(users) > 0
    return pa.table({"user": users[is_warm].astype(np.int32)})


@dataclass(frozen=True)
class Retrieval:
    """Function from rows of logs to the candidate lists of their users."""

    files: Shipped
    is_judged: bool
    models: Mapping[str, Model]
    candidates: CandidatesParams
    fallback: RecentPopularParams
    als: AlsParams
    own: SparkAlsParams

    def __call__(self, rows: pa.Table) -> pa.Table:
        side, params = self.files.open(), self.candidates
        block = block_of(rows, side.window, side.items)
        factors = factors_of(block, side, self.als, self.own)
        models = {
            name: scores_of(model, side, block.history, factors)
            for name, model in self.models.items()
        }
        fallback = scores_of(("recent_popular", self.fallback), side, block.history)
        alive = side.alive(params.alive_windows)
        served = Served(block.history, models, params.sources, fallback, params.per_source, alive)
        users = block.target.users if self.is_judged else np.unique(block.target.user)
        return table_of(candidate_lists(served, users, 1), users, block.target)


def schema_of_lists(sources: list[str], models: Mapping[str, Model]) -> str:
    """Return the columns of the data set of candidates, which has a row per user."""
    ranks = [f"{name}_rank: array<smallint>" for name in sources]
    scores = [f"{name}_score: array<float>" for name in models]
    lists = ", ".join(["item: array<int>", *ranks, *scores])
    counts = "n_relevant int, n_found int, is_retrieved boolean"
    return f"user int, {counts}, lists struct<{lists}>"


def table_of(lists: Candidates, users: np.ndarray, target: Target) -> pa.Table:
    """Return the rows of these users, ascending. Users may have no list."""
    row = np.searchsorted(users, lists.user)
    relevant = np.searchsorted(users, target.user[np.isin(target.user, users)])
    is_found = target.strength_of(lists.user, lists.item) > 0

    def counted(rows: np.ndarray) -> np.ndarray:
        return np.bincount(rows, minlength=len(users)).astype(np.int32)

    columns = lists.table().drop_columns("user")
    return pa.table(
        {
            "user": users.astype(np.int32),
            "n_relevant": counted(relevant),
            "n_found": counted(row[is_found]),
            "is_retrieved": counted(row[lists.is_retrieved]) > 0,
            "lists": pa.StructArray.from_arrays(
                [lists_of(users, lists.user, column.to_numpy()) for column in columns],
                columns.column_names,
            ),
        }
    )


def lists_in(rows: pa.Table) -> Candidates:
    """Return the lists in rows with the columns of table_of()."""
    fields = rows["lists"].combine_chunks()
    sizes = pc.list_value_length(fields.field("item")).to_numpy()
    columns = {field.name: flat(fields.field(field.name)) for field in fields.type}
    user = np.repeat(rows["user"].to_numpy(), sizes)
    return of_columns({"user": user, **columns})
