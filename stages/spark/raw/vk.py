"""Reads VK-LSVD in its public layout and in the notebook's.

Spark reads the interactions, the local reader the metadata of the users and items that occur.
"""

from functools import reduce

from core.script import InputError, report
from core.tables import Tables

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from readers import DataParams, vk_lsvd, vk_notebook
from readers.ids import distinct
from readers.positive_rule import Rule
from readers.vk import STRENGTH_COLUMNS
from spark.engine.data_sets import Files
from spark.raw.tables import RawTables, in_spark, on_driver, with_feedback


def read_notebook(spark: SparkSession, folder: str, data: DataParams) -> RawTables:
    """Read the notebook's five files."""
    parts = [
        log_of(spark, f"{folder}/{name}", data).withColumn("is_test", F.lit(number == 1))
        for number, name in enumerate(vk_notebook.INTERACTIONS)
    ]
    return tables_of(spark, folder, data, parts, vk_notebook)


def read_lsvd(spark: SparkSession, folder: str, data: DataParams) -> RawTables:
    """Read the public layout, whole or a subsample."""
    files, below = Files(spark), f"{folder}/{vk_lsvd.weeks_folder(data.subsample)}"
    names = [f"{part}/{name}" for part in vk_lsvd.PARTS for name in files.names(f"{below}/{part}")]
    there = files.names(f"{folder}/{vk_lsvd.SUBSAMPLES}")
    weeks = vk_lsvd.find_weeks(below, names, there, data)
    parts = [
        log_of(spark, f"{below}/{name}", data).withColumn("week", F.lit(number).cast("smallint"))
        for number, name in enumerate(weeks.values())
    ]
    return tables_of(spark, folder, data, parts, vk_lsvd, list(weeks))


def log_of(spark: SparkSession, path: str, data: DataParams) -> DataFrame:
    """Return ids, feedback and position in the file of interactions."""
    log = spark.read.parquet(path)
    needed = ["user_id", "item_id", *Rule.parse(data.positive).columns]
    if absent := [name for name in needed if name not in log.columns]:
        raise InputError(f"{path}: no column {absent[0]}; its columns are {', '.join(log.columns)}")
    for name in ("user_id", "item_id"):
        if n_null := log.where(F.col(name).isNull()).count():
            raise InputError(f"{path}: {name} is null in {n_null:,} rows; must be an id")
    wanted = dict.fromkeys([*needed, *STRENGTH_COLUMNS])
    known = [name for name in wanted if name in log.columns]
    return log.select(*known, F.col("_metadata.row_index").alias("position"))


def together(parts: list[DataFrame]) -> DataFrame:
    """Concatenate the rows of all files.

    A column of feedback that some files lack is left out and printed, because it cannot be compared
    over time.
    """
    names = dict.fromkeys(name for part in parts for name in part.columns)
    common = [name for name in names if all(name in part.columns for part in parts)]
    if absent := [name for name in names if name not in common]:
        report(f"{', '.join(absent)} is missing in some files, so it is not used for strength")
    return reduce(DataFrame.unionByName, (part.select(common) for part in parts))


def tables_of(
    spark: SparkSession,
    folder: str,
    data: DataParams,
    parts: list[DataFrame],
    layout: object,
    weeks: list[int] | None = None,
) -> RawTables:
    """Return the tables from the parts of the log. layout  the local reader of the metadata"""
    log = together(parts)
    names = ("user_id", "item_id")
    ids = [distinct(log.select(name).distinct().toArrow()[name]) for name in names]
    with on_driver(spark, folder, layout.METADATA) as here:
        metadata = layout.read_metadata(here, data, *ids)
    users, items, schema = in_spark(spark, Tables(pa.table({}), *metadata), weeks or [])
    rows = with_feedback(log, data).join(users.select("user", "user_id"), "user_id")
    rows = rows.join(items.select("item", "item_id"), "item_id")
    columns = ["user", "item", "is_positive", "strength", "position"]
    columns += [name for name in ("week", "is_test") if name in rows.columns]
    return RawTables(rows.select(*columns), users, items, schema)
