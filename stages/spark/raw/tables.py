"""The raw tables that the readers of Spark return, and their shared code."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.script import InputError

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, types
from pyspark.sql import functions as F  # noqa: N812

from readers import DataParams, of_reader
from readers.positive_rule import Rule
from spark.engine.data_sets import DataSets

BITS = 33  # bits of monotonically_increasing_id for the row's position in its partition


@dataclass(frozen=True)
class Schema:
    """The columns of the tables.

    users, items  feature -> its levels, None for a number
    n_users, n_items, n_tags, width  sizes
    n_weeks, first_week  number of weeks, 0 if windows are not weeks; number of the oldest week
    """

    users: dict[str, list[str] | None]
    items: dict[str, list[str] | None]
    n_users: int
    n_items: int
    n_tags: int
    width: int
    n_weeks: int = 0
    first_week: int = 0

    def save(self, folder: Path) -> None:
        (folder / "schema.json").write_text(json.dumps(vars(self)), encoding="utf-8")

    @classmethod
    def read(cls, sets: DataSets) -> "Schema":
        """Read the schema that `ingest` wrote."""
        sets.check("ingest", "schema")
        return cls(**json.loads(sets.files.read_utf8(sets.path("schema/schema.json"))))


@dataclass(frozen=True)
class RawTables:
    """The result of a reader.

    interactions  user, item int; is_positive boolean; strength tinyint; position bigint, the order
                  in time (within its week if there are weeks); timestamp bigint, week smallint or
                  is_test boolean if the source has it
    users         user int; user_id; one column per feature: float, or int for codes of levels
    items         the same for items; tag array<int>, share array<float>; embedding array<float>,
                  NaN for an item without an embedding
    """

    interactions: DataFrame
    users: DataFrame
    items: DataFrame
    schema: Schema


def numbered(rows: DataFrame, by: list[Column | str], name: str) -> DataFrame:
    """Add a column with 0, 1, 2, … in the order of `by`, bigint.

    A sort distributes rows by random samples, which differ between runs. Therefore the sorted rows
    are written to spark.checkpoints, so that both passes, and retries after a lost executor, read
    the same rows.
    """
    place = F.monotonically_increasing_id()
    in_order = rows.orderBy(*by).withColumn("_number_place", place).checkpoint()
    part = F.shiftright("_number_place", BITS)
    sizes = in_order.groupBy(part.alias("part")).count().orderBy("part").collect()
    starts, start = [], 0
    for size in sizes:
        starts.append((size["part"], start))
        start += size["count"]
    starts = rows.sparkSession.createDataFrame(starts, "_number_part long, _number_start long")
    joined = in_order.join(F.broadcast(starts), part == F.col("_number_part"))
    number = F.col("_number_start") + F.col("_number_place").bitwiseAND(F.lit(2**BITS - 1))
    return joined.withColumn(name, number).drop("_number_place", "_number_part", "_number_start")


def ids_of(log: DataFrame, name: str, number: str) -> DataFrame:
    """Return the distinct ids of a column, ascending, with their row numbers."""
    ids = numbered(log.select(name).distinct(), [name], number)
    return ids.select(F.col(number).cast("int"), name)


def with_feedback(log: DataFrame, data: DataParams) -> DataFrame:
    """Replace the columns of feedback by is_positive and strength, with the local code."""
    rule = Rule.parse(data.positive)
    wanted = [*rule.columns, *of_reader(data.source, "STRENGTH_COLUMNS", ())]
    feedback = [name for name in dict.fromkeys(wanted) if name in log.columns]
    if absent := [name for name in rule.columns if name not in log.columns]:
        there = ", ".join(log.columns)
        raise InputError(
            f"data.positive is {data.positive!r}: no column {absent[0]}; the columns are {there}"
        )
    strength_of = of_reader(data.source, "strength")
    dropped = {*feedback} - {"timestamp"}  # a rule may use it, but it is also the time
    kept = [field for field in log.schema.fields if field.name not in dropped]
    schema = types.StructType(list(kept))  # add() changes the list it is given
    schema = schema.add("is_positive", types.BooleanType()).add("strength", types.ByteType())
    names = [field.name for field in kept]

    def evaluate(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            table = pa.Table.from_batches([batch])
            is_positive = rule.evaluate(table)
            strength = strength_of(is_positive, table).astype(np.int8)
            columns = [*(table[name] for name in names), is_positive, strength]
            table = pa.table(columns, names=[*names, "is_positive", "strength"])
            yield from table.combine_chunks().to_batches()

    return log.mapInArrow(evaluate, schema)


def require_ids(log: DataFrame, where: str) -> None:
    """Raise InputError if an id is missing."""
    for name in ("user_id", "item_id"):
        if n_null := log.where(F.col(name).isNull()).count():
            raise InputError(f"{where}: {name} is null in {n_null:,} rows; must be an id")


def joined(log: DataFrame, users: DataFrame, items: DataFrame) -> DataFrame:
    """Replace the ids of the log by row numbers."""
    rows = log.join(users.select("user", "user_id"), "user_id")
    return rows.join(items.select("item", "item_id"), "item_id").drop("user_id", "item_id")
