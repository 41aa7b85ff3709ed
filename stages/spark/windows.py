"""Cuts the interactions into numbered windows of time and gathers them by user.

usage: python stages/spark/windows.py
in:    in spark.folder: interactions, users, schema; metrics/spark/receipts/ingest.json
out:   in spark.folder: logs, a row per user, by user: user int; NAME, each feature of the user as
         in users; item array<int>, window array<smallint>, is_positive array<boolean>, strength
         array<tinyint>: the user's interactions in time order
       windows, a row per window: the columns of data/split/windows.csv
       metrics/spark/receipts/windows.json

A row contains all interactions of a user. Therefore later stages process users of any fold in one
pass over blocks of rows, without a shuffle.
"""

import sys

sys.path[0] += "/.."  # the packages of stages/

from core.folds import SplitParams, folds_of
from core.params import section, shared_params
from core.script import InputError, run_script

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from spark.engine.blocks import LOG
from spark.engine.data_sets import data_sets
from spark.raw.tables import Schema

COUNTS = ("window", "n_interactions", "n_positives", "n_users", "n_items")
EVENT = ("window", "position", "item", "is_positive", "strength")  # the order of sorting


def with_windows(interactions: DataFrame, n_parts: int, n_weeks: int) -> tuple[DataFrame, int]:
    """Return the rows with `window` smallint, 0 the oldest, and the number of windows.

    If the source has weeks, they are the windows. Otherwise rows are cut into n_parts windows like
    np.array_split, and the rows of a test file, if there is one, are one more window.
    """
    if "week" in interactions.columns:
        return interactions.withColumnRenamed("week", "window"), n_weeks
    has_test = "is_test" in interactions.columns
    n_rows = interactions.where("not is_test").count() if has_test else interactions.count()
    size, n_longer = divmod(n_rows, n_parts)
    position, n_in_longer = F.col("position"), n_longer * (size + 1)
    in_longer = F.floor(position / (size + 1))
    window = in_longer
    if size:
        in_others = n_longer + F.floor((position - n_in_longer) / size)
        window = F.when(position < n_in_longer, in_longer).otherwise(in_others)
    if has_test:
        window = F.when(F.col("is_test"), n_parts).otherwise(window)
    return interactions.withColumn("window", window.cast("smallint")), n_parts + has_test


def summary(rows: DataFrame, n_windows: int, weeks: list[int]) -> DataFrame:
    """Return a row per window, even for a window without interactions; see the module docstring.

    weeks  the number of each week; empty if windows are not weeks
    """
    has_time = "timestamp" in rows.columns
    times = [F.min("timestamp").alias("start"), F.max("timestamp").alias("end")]
    found = rows.groupBy("window").agg(
        F.count("*").alias("n_interactions"),
        F.sum(F.col("is_positive").cast("long")).alias("n_positives"),
        F.countDistinct("user").alias("n_users"),
        F.countDistinct("item").alias("n_items"),
        *(times if has_time else []),
    )
    every = rows.sparkSession.range(n_windows).select(F.col("id").cast("smallint").alias("window"))
    table = every.join(found, "window", "left").orderBy("window").coalesce(1)
    if has_time:  # a window without rows starts with the next one and lasts 0 days
        onward = Window.orderBy("window").rowsBetween(0, Window.unboundedFollowing)
        last = F.max("end").over(Window.partitionBy())
        start = F.coalesce(F.first("start", ignorenulls=True).over(onward), last)
        n_days = F.bround((F.col("end") - F.col("start")) / 86_400, 2)
        table = table.select(*COUNTS, start.alias("start"), n_days.alias("n_days"))
    elif weeks:
        start = F.element_at(F.array(*map(F.lit, weeks)), F.col("window") + 1)
        table = table.withColumn("start", start)
    return table.fillna(0)


def logs_of(rows: DataFrame, users: DataFrame, features: list[str]) -> DataFrame:
    """Return the logs; see the module docstring."""
    events = F.sort_array(F.collect_list(F.struct(*EVENT)))
    by_user = rows.groupBy("user").agg(events.alias("events"))
    columns = [F.col(f"events.{name}") for name in LOG]
    logs = by_user.join(users.select("user", *features), "user")
    logs = logs.select("user", *features, *columns)
    return logs.repartitionByRange("user").sortWithinPartitions("user")


def main() -> None:
    shared, n_parts = shared_params(), section("split", SplitParams).windows
    with data_sets("windows") as sets:
        interactions, schema = sets.read("ingest", "interactions"), Schema.read(sets)
        rows, n_windows = with_windows(interactions, n_parts, len(schema.weeks))
        folds_of(shared.folds, n_windows)  # raises if folds need more windows
        sets.write("windows", summary(rows, n_windows, schema.weeks))
        if not sets.read_made("windows").agg(F.sum("n_positives")).first()[0]:
            raise InputError("data.positive: no interaction is positive; check the rule")
        sets.write("logs", logs_of(rows, sets.read("ingest", "users"), list(schema.users)))


if __name__ == "__main__":
    run_script(main)
