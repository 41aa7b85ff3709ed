"""The raw tables that the readers of Spark return, and their shared code."""

import contextlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.script import InputError
from core.tables import Tables, channels_of

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, types

from readers import READERS, DataParams, of_reader
from readers.positive_rule import Rule
from spark.engine.data_sets import DataSets, Files


@dataclass(frozen=True)
class Schema:
    """The columns of the tables.

    users, items  feature -> its levels, None for a number
    weeks         number of each week, the oldest first; none if windows are not weeks
    """

    users: dict[str, list[str] | None]
    items: dict[str, list[str] | None]
    n_tags: int
    weeks: list[int]

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
    kept = [field for field in log.schema.fields if field.name not in feedback]
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


def read_locally(spark: SparkSession, folder: str, data: DataParams) -> RawTables:
    """Read a source by its local reader, on the driver."""
    with on_driver(spark, folder, [""]) as here:
        tables = READERS[data.source](data.model_copy(update={"path": str(here)}))
    log = tables.interactions.drop_columns(channels_of(tables.interactions.column_names))
    weeks = json.loads((log.schema.metadata or {}).get(b"weeks", "{}")).get("start", [])
    columns = {name: log[name] for name in log.column_names if name != "strength"}
    columns |= {"strength": log["strength"].cast(pa.int8()), "position": np.arange(len(log))}
    return RawTables(spark.createDataFrame(pa.table(columns)), *in_spark(spark, tables, weeks))


@contextlib.contextmanager
def on_driver(spark: SparkSession, folder: str, names: Iterable[str]) -> Iterator[Path]:
    """Provide the folder, or a copy of these files in it if it is a URL."""
    if "://" not in folder:
        yield Path(folder)
        return
    files = Files(spark)
    with tempfile.TemporaryDirectory() as parent:
        copy = Path(parent) / "copy"
        for name in filter(lambda name: files.exists(f"{folder}/{name}"), names):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            files.fetch(f"{folder}/{name}", copy / name)
        try:
            yield copy
        except InputError as error:
            raise InputError(str(error).replace(str(copy), folder)) from None


def in_spark(
    spark: SparkSession, tables: Tables, weeks: list[int]
) -> tuple[DataFrame, DataFrame, Schema]:
    """Return the users and items of the local tables as tables of Spark, and their schema."""
    users, of_users = _with_codes(tables.users, "user")
    items, of_items = _with_codes(tables.items, "item")
    tags, offsets = tables.item_tags, tables.item_tags.indptr.astype(np.int32)
    lists = {"tag": tags.indices.astype(np.int32), "share": tags.data.astype(np.float32)}
    items |= {name: pa.ListArray.from_arrays(offsets, of) for name, of in lists.items()}
    items["embedding"] = pa.array(list(tables.item_embeddings), pa.list_(pa.float32()))
    frames = (spark.createDataFrame(pa.table(columns)) for columns in (users, items))
    return *frames, Schema(of_users, of_items, tags.shape[1], weeks)


def _with_codes(table: pa.Table, of: str) -> tuple[dict[str, pa.Array], dict]:
    """Return the columns with row numbers and codes of levels, and the levels of each feature."""
    columns, levels = {of: np.arange(len(table), dtype=np.int32), f"{of}_id": table[0]}, {}
    for name in table.column_names[1:]:
        column = table[name].combine_chunks()
        is_category = pa.types.is_dictionary(column.type)
        levels[name] = column.dictionary.to_pylist() if is_category else None
        columns[name] = column.indices if is_category else column
    return columns, levels
