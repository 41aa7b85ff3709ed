"""Columns of numbers: what is not known, the ranker can handle; what is infinite is refused."""

from harness.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from readers.ids import plain


def check_finite(column: pa.ChunkedArray, where: str) -> None:
    """InputError, naming `where` (the file and its column), for infinite numbers and those that a
    float32 cannot hold; a column of anything but numbers passes.
    """
    column = plain(column)
    if not pa.types.is_floating(column.type):
        return
    largest = float(np.finfo(np.float32).max)
    is_beyond = pc.greater(pc.abs(column.cast(pa.float64())), largest)
    if n_beyond := pc.sum(is_beyond).as_py():
        first = column.filter(is_beyond)[0].as_py()
        raise InputError(
            f"{where} is {first} in {n_beyond:,} of {len(column):,} rows read; must be a finite"
            " number, or null where it is not known"
        )
