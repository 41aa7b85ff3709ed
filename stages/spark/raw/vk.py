"""Reads VK-LSVD in its public layout and in the notebook's, by Spark SQL."""

import tempfile
from functools import reduce
from pathlib import Path

from core.script import InputError, report

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from readers import DataParams, vk_lsvd, vk_notebook
from readers import vk_lsvd_files as vk_layout
from readers.positive_rule import Rule
from readers.vk_log import STRENGTH_COLUMNS
from readers.vk_metadata import ITEM_COLUMNS, USER_COLUMNS, category, chosen_width
from spark.engine.data_sets import Files
from spark.raw.tables import RawTables, Schema, ids_of, joined, numbered, require_ids, with_feedback

ROWS_AT_ONCE = 200_000  # rows of embeddings


def read_notebook(spark: SparkSession, folder: str, data: DataParams) -> RawTables:
    """Read the notebook's five files."""
    parts = [
        log_of(spark, f"{folder}/{name}", data).withColumn("is_test", F.lit(number == 1))
        for number, name in enumerate(vk_notebook.INTERACTIONS)
    ]
    embeddings = embeddings_of_lists(spark, folder)
    metadata = [f"{folder}/{name}" for name in (vk_notebook.USERS, vk_notebook.ITEMS)]
    return tables_of(spark, together(parts), metadata, embeddings, data)


def read_lsvd(spark: SparkSession, folder: str, data: DataParams) -> RawTables:
    """Read the public layout, whole or a subsample."""
    weeks = weeks_of(spark, f"{folder}/{vk_layout.weeks_folder(data.subsample)}")
    parts = [
        log_of(spark, path, data).withColumn("week", F.lit(number).cast("smallint"))
        for number, path in enumerate(weeks)
    ]
    log = together(parts)
    metadata = [f"{folder}/{name}" for name in (vk_layout.USERS, vk_layout.ITEMS)]
    with tempfile.TemporaryDirectory() as local:
        embeddings = embeddings_of_npz(spark, f"{folder}/{vk_layout.EMBEDDINGS}", Path(local))
        first = vk_layout.week_number(Path(weeks[0]).name)
        return tables_of(spark, log, metadata, embeddings, data, len(weeks), first)


def weeks_of(spark: SparkSession, folder: str) -> list[str]:
    """Return the files of all weeks, oldest first. Raises InputError if a week is missing."""
    files, found = Files(spark), []
    for part in vk_layout.PARTS:
        names = files.names(f"{folder}/{part}")
        weeks = {vk_layout.week_number(name): f"{folder}/{part}/{name}" for name in names}
        weeks.pop(None, None)
        if not weeks:
            raise InputError(f"{folder}/{part}: no week_NN.parquet; must have at least one")
        found += sorted(weeks.items())
    for (before, _), (number, path) in zip(found, found[1:], strict=False):
        if number != before + 1:
            raise InputError(f"{path}: week {number} follows week {before}; must be {before + 1}")
    return [path for _, path in found]


def log_of(spark: SparkSession, path: str, data: DataParams) -> DataFrame:
    """Return ids, feedback and position in the file of interactions."""
    log = spark.read.parquet(path)
    needed = ["user_id", "item_id", *Rule.parse(data.positive).columns]
    if absent := [name for name in needed if name not in log.columns]:
        raise InputError(f"{path}: no column {absent[0]}; its columns are {', '.join(log.columns)}")
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
    log: DataFrame,
    metadata: list[str],
    embeddings: DataFrame,
    data: DataParams,
    n_weeks: int = 0,
    first_week: int = 0,
) -> RawTables:
    """Return the tables from a log with all its columns."""
    require_ids(log, data.path)
    users, items = (ids_of(log, f"{of}_id", of).checkpoint() for of in ("user", "item"))
    rows = joined(with_feedback(log, data), users, items)
    columns = ["user", "item", "is_positive", "strength", "position"]
    columns += [name for name in ("week", "is_test") if name in rows.columns]
    users, of_users = with_features(spark, users, metadata[0], "user_id", USER_COLUMNS)
    numbers = {name: kind for name, kind in ITEM_COLUMNS.items() if kind == "number"}
    tags, n_tags = author_tags(spark, metadata[1])
    items, of_items = with_features(spark, items, metadata[1], "item_id", numbers)
    items = items.join(tags, "item_id", "left")
    none = F.array().cast("array<int>")
    items = items.withColumn("tag", F.coalesce("tag", none))
    items = items.withColumn("share", F.transform("tag", lambda _: F.lit(1.0).cast("float")))
    items, width = with_embeddings(items, embeddings, data)
    schema = Schema(
        of_users, of_items, users.count(), items.count(), n_tags, width, n_weeks, first_week
    )
    return RawTables(rows.select(*columns), users, items, schema)


def first_rows(spark: SparkSession, path: str, id_column: str, names: list[str]) -> DataFrame:
    """Return columns of a metadata file, with the first row of each id."""
    rows = spark.read.parquet(path)
    if absent := [name for name in (id_column, *names) if name not in rows.columns]:
        there = ", ".join(rows.columns)
        raise InputError(f"{path}: no column {absent[0]}; its columns are {there}")
    place = F.col("_metadata.row_index")
    firsts = [F.min_by(name, "_place").alias(name) for name in names]
    return rows.select(id_column, *names, place.alias("_place")).groupBy(id_column).agg(*firsts)


def with_features(
    spark: SparkSession, ids: DataFrame, path: str, id_column: str, kinds: dict[str, str]
) -> tuple[DataFrame, dict[str, list[str] | None]]:
    """Add metadata to ids: numbers as float, categories as codes.

    Levels are those of the whole file, in the order of the local reader.
    """
    metadata = first_rows(spark, path, id_column, list(kinds))
    rows = ids.join(metadata, id_column, "left")
    levels: dict[str, list[str] | None] = {}
    for name, kind in kinds.items():
        if kind == "number":
            if n_infinite := metadata.where(F.abs(F.col(name)) == float("inf")).count():
                raise InputError(
                    f"{path}: {name} is infinite in {n_infinite:,} rows; must be a finite number,"
                    " or null if it is unknown"
                )
            rows, levels[name] = rows.withColumn(name, F.col(name).cast("float")), None
            continue
        distinct = spark.read.parquet(path).select(name).distinct().toArrow()[name]
        coded = category(distinct, distinct)
        levels[name] = coded.dictionary.to_pylist()
        codes = pa.table({name: distinct.combine_chunks(), "_code": coded.indices})
        codes = spark.createDataFrame(codes.filter(pa.compute.is_valid(codes["_code"])))
        rows = rows.join(F.broadcast(codes), name, "left").drop(name)
        rows = rows.withColumnRenamed("_code", name)
    number = id_column.removesuffix("_id")
    return rows.select(number, id_column, *kinds), levels


def author_tags(spark: SparkSession, path: str) -> tuple[DataFrame, int]:
    """Return item_id with tag, the number of its author in a list, and the number of authors."""
    authors = spark.read.parquet(path).select("author_id").distinct().where("author_id is not null")
    numbers = numbered(authors, ["author_id"], "_author").checkpoint()
    items = first_rows(spark, path, "item_id", ["author_id"]).join(numbers, "author_id")
    tag = F.array(F.col("_author").cast("int")).alias("tag")
    return items.select("item_id", tag), numbers.count()


def embeddings_of_lists(spark: SparkSession, folder: str) -> DataFrame:
    """Return item_id and embedding from the notebook's files."""
    for name in (vk_notebook.EMBEDDINGS, vk_notebook.ITEMS):
        path = f"{folder}/{name}"
        if not Files(spark).exists(path):
            continue
        rows = spark.read.parquet(path)
        lists = [field.name for field in rows.schema if field.dataType.typeName() == "array"]
        if lists:
            column = next((n for n in ("embedding", "embeddings") if n in lists), lists[0])
            return first_rows(spark, path, "item_id", [column]).withColumnRenamed(
                column, "embedding"
            )
    raise InputError(f"{folder}/{vk_notebook.EMBEDDINGS}: not found, or no column of lists")


def embeddings_of_npz(spark: SparkSession, path: str, local: Path) -> DataFrame:
    """Return item_id and embedding from the npz file of the public layout.

    Spark cannot read npz, so the driver converts it to parquet in parts. For all 20 million items
    its arrays take 2.6 GB.
    """
    if not Files(spark).exists(path):
        raise InputError(f"{path}: not found")
    item_id, embedding = vk_lsvd.arrays_of(Files(spark).fetch(path, local / "embeddings.npz"))
    folder = local / "embeddings"
    folder.mkdir()
    for start in range(0, len(item_id), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        values = embedding[rows].astype("float32")
        lists = pa.FixedSizeListArray.from_arrays(values.ravel(), values.shape[1])
        part = pa.table({"item_id": item_id[rows], "embedding": lists.cast(pa.list_(pa.float32()))})
        pq.write_table(part, folder / f"{start:012}.parquet")
    target = f"{spark.sparkContext._jsc.sc().getCheckpointDir().get()}/embeddings"
    Files(spark).put(folder, target)
    return spark.read.parquet(target)


def with_embeddings(
    items: DataFrame, embeddings: DataFrame, data: DataParams
) -> tuple[DataFrame, int]:
    """Add embeddings to items, NaN for items without a usable one."""
    there = embeddings.select(F.size("embedding")).where("embedding is not null").first()
    if there is None:
        raise InputError(f"{data.path}: no item has an embedding")
    width = chosen_width(data.embedding_width, there[0], Path(data.path))
    vector = F.slice(F.col("embedding").cast("array<float>"), 1, width)
    infinite = F.lit(float("inf"))
    is_usable = (F.size(vector) == width) & F.forall(
        vector, lambda v: v.isNotNull() & ~F.isnan(v) & (F.abs(v) < infinite)
    )
    nothing = F.array_repeat(F.lit(float("nan")).cast("float"), width)
    items = items.join(embeddings, "item_id", "left")
    usable = F.coalesce(F.when(is_usable, vector), nothing)
    return items.withColumn("embedding", usable), width
