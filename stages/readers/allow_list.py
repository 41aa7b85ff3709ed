"""Reads the items that alone may be recommended."""

from pathlib import Path

from core import tables
from core.history import History
from core.script import InputError, report

import numpy as np
import pyarrow.parquet as pq

from readers.ids import Ids
from readers.table_files import read_rows


def read(path: Path, key: str, history: History) -> np.ndarray:
    """Return which items of the history the file names, bool (n_items,); InputError if it is none.

    path  CSV or Parquet with a column item_id; key  of params.yaml or of the command line
    Reports how many of its items cannot be recommended, and why.
    """
    items = pq.read_table(tables.ITEMS, columns=["item_id"])["item_id"].combine_chunks()
    rows = read_rows(path.parent, path.name, key, ["item_id"], [])
    named = rows.read_as("item_id", [items.type], f"{items.type}, as in {tables.ITEMS}").unique()
    there = Ids(items).rows(named, f"{path}: item_id")
    n_absent, there = np.count_nonzero(there < 0), there[there >= 0]
    allowed = np.zeros(history.n_items, dtype=bool)
    item = history.item_of(there)
    allowed[item[item >= 0]] = True
    n_new = np.count_nonzero(item < 0)
    line = (
        f"{path}: {allowed.sum():,} of {len(named):,} items can be recommended; {n_absent:,} are"
        f" not in {tables.ITEMS}, and {n_new:,} are new to the models (see candidates.new_items)"
    )
    if not allowed.any():
        raise InputError(line)
    if n_absent or not allowed.all():
        report(line)
    return allowed
