"""Reads MovieLens: ratings by Spark, users and films, which are small, by the local reader."""

import tempfile
from pathlib import Path

from core.script import InputError, report
from core.tables import Tables

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from readers import DataParams
from readers.movielens import MOST_STARS, with_metadata
from readers.movielens_files import EDITIONS
from spark.engine.data_sets import Files
from spark.raw.tables import RawTables, Schema, ids_of, joined, numbered, with_feedback

COLUMNS = {"user_id": "string", "item_id": "string", "rating": "float", "timestamp": "long"}


def read(spark: SparkSession, folder: str, data: DataParams) -> RawTables:
    """Return the tables of the folder, which may be a URL."""
    ratings = read_ratings(spark, f"{folder}/{EDITIONS[data.source].files[0]}")
    ratings = numbered(ratings, ["timestamp", "_start", "_row"], "position").drop("_start", "_row")
    users, items = (ids_of(ratings, f"{of}_id", of) for of in ("user", "item"))
    log = with_feedback(ratings, data)
    tables = catalogue(spark, folder, data, users, items)
    users, of_users = table_of(spark, tables.users, "user")
    items, of_items = table_of(spark, tables.items, "item", tables)
    schema = Schema(
        of_users,
        of_items,
        tables.users.num_rows,
        tables.items.num_rows,
        tables.item_tags.shape[1],
        tables.item_embeddings.shape[1],
    )
    return RawTables(joined(log, users, items), users, items, schema)


def read_ratings(spark: SparkSession, path: str) -> DataFrame:
    """Return COLUMNS of a tab-separated file with a header, and the order of rows.

    Quotes are not special. The columns _start and _row have the order.
    """
    lines = spark.read.text(path)
    header = lines.first()
    if header is None:
        raise InputError(f"{path}: is empty")
    names = [name.split(":")[0] for name in header["value"].split("\t")]
    if absent := [name for name in COLUMNS if name not in names]:
        raise InputError(f"{path}: no column {absent[0]}; its columns are {', '.join(names)}")
    place = [F.col("_metadata.file_block_start").alias("_start"), F.monotonically_increasing_id()]
    lines = lines.select("value", place[0], place[1].alias("_row"))
    lines = lines.where(~F.col("value").isin(header["value"], ""))
    parts = F.split("value", "\t")
    texts = {name: F.nullif(F.get(parts, F.lit(names.index(name))), F.lit("")) for name in COLUMNS}
    check_ratings(lines, texts, path)
    columns = [texts[name].cast(kind).alias(name) for name, kind in COLUMNS.items()]
    return lines.select(*columns, "_start", "_row")


def check_ratings(lines: DataFrame, texts: dict[str, Column], path: str) -> None:
    """Check ratings like the local reader. Prints how many are missing or not from 0 to 5.

    Raises InputError if a rating has no user, item or time, or a value is not a finite number.
    """
    is_empty = {name: text.isNull() for name, text in texts.items()}
    numbers = {name: texts[name].try_cast(COLUMNS[name]) for name in ("rating", "timestamp")}
    stars = numbers["rating"]
    wanted = {f"{name} is empty": condition for name, condition in is_empty.items()}
    for name, number in numbers.items():
        wanted[f"{name} is not a number"] = number.isNull() & ~is_empty[name]
    wanted["rating is not finite"] = F.isnan(stars) | (F.abs(stars) == float("inf"))
    wanted["others"] = (stars < 0) | (stars > MOST_STARS)
    counts = [F.count_if(condition).alias(name) for name, condition in wanted.items()]
    found = lines.agg(F.count("*").alias("n"), *counts).first().asDict()
    n_rows, n_others, n_missing = (found.pop(name) for name in ("n", "others", "rating is empty"))
    if not n_rows:
        raise InputError(f"{path}: has only a header; rows are needed")
    for what, n_bad in found.items():
        if n_bad:
            raise InputError(f"{path}: {what} in {n_bad:,} of {n_rows:,} rows; must be given")
    if n_missing:
        report(f"{path}: rating is missing in {n_missing:,} of {n_rows:,} rows")
    if n_others:
        report(f"{path}: rating is not from 0 to {MOST_STARS} in {n_others:,} rows")


def catalogue(
    spark: SparkSession, folder: str, data: DataParams, users: DataFrame, items: DataFrame
) -> Tables:
    """Return the tables of users and items, made by the local reader."""
    user_ids, item_ids = (
        frame.orderBy(of).select(f"{of}_id").toArrow()[0].combine_chunks()
        for frame, of in ((users, "user"), (items, "item"))
    )
    with tempfile.TemporaryDirectory() as local:
        for name in EDITIONS[data.source].files[1:]:
            if not Files(spark).exists(f"{folder}/{name}"):
                raise InputError(f"{folder}/{name}: not found")
            Files(spark).fetch(f"{folder}/{name}", Path(local) / name)
        here = data.model_copy(update={"path": local})
        return with_metadata(pa.table({}), user_ids, item_ids, here)


def table_of(
    spark: SparkSession, table: pa.Table, of: str, tables: Tables | None = None
) -> tuple[DataFrame, dict[str, list[str] | None]]:
    """Return a table of users or items as a Spark table, and the levels of its features."""
    columns = {of: pa.array(np.arange(table.num_rows, dtype=np.int32)), f"{of}_id": table[0]}
    levels: dict[str, list[str] | None] = {}
    for name in table.column_names[1:]:
        column = table[name].combine_chunks()
        is_category = pa.types.is_dictionary(column.type)
        levels[name] = column.dictionary.to_pylist() if is_category else None
        columns[name] = column.indices.cast(pa.int32()) if is_category else column
    if tables is not None:
        tags = tables.item_tags
        offsets = tags.indptr.astype(np.int32)
        indices = pa.array(tags.indices.astype(np.int32))
        columns["tag"] = pa.ListArray.from_arrays(offsets, indices)
        columns["share"] = pa.ListArray.from_arrays(offsets, pa.array(tags.data.astype(np.float32)))
        columns["embedding"] = pa.array(list(tables.item_embeddings), pa.list_(pa.float32()))
    return spark.createDataFrame(pa.table(columns)), levels
