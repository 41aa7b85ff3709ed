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


def list_column(values: "np.ndarray", sizes: "np.ndarray", kind: pa.DataType) -> pa.Array:  # noqa: F821
    """A column of lists of these sizes, from their values one after the other."""
    import numpy as np

    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(values, kind))
