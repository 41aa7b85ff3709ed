"""Code that runs on the executors: a function of blocks of rows, and the files it needs there."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame

BlockFunction = Callable[[pa.Table], pa.Table]


def map_blocks(rows: DataFrame, function: BlockFunction, schema: str) -> DataFrame:
    """The tables that the function makes of blocks of at most users_at_once rows.

    schema  of these tables, as Spark writes it
    """
    return rows.mapInArrow(partial(_each, function), schema)


def _each(function: BlockFunction, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    from harness import process  # noqa: F401  settings of BLAS, before numpy is loaded

    for batch in batches:
        if batch.num_rows:
            yield from function(pa.Table.from_batches([batch])).combine_chunks().to_batches()
