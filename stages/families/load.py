"""Reads what the feature families may know of a fold."""

from harness.params import run, section

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from families.all import Context, Settings
from folds import factors, tables
from folds.history import History
from retrieval.params import Sources


def load(fold: str, history: History) -> Context:
    """The context of a fold, from the outputs of `ingest` and `als` and from params.yaml."""
    with tables.EMBEDDINGS.open("rb") as file:
        embeddings = np.load(file)[history.items]
    return Context(
        history,
        factors.load(factors.FACTORS.format(fold=fold)),
        metadata(pq.read_table(tables.USERS), history.users),
        metadata(pq.read_table(tables.ITEMS), history.items),
        sparse.csr_array(sparse.load_npz(tables.TAGS))[history.items],
        embeddings,
        section("features", Settings),
        section("sources", Sources).item_knn,
        run().n_threads,
    )


def metadata(table: pa.Table, rows: np.ndarray) -> pd.DataFrame:
    """The feature columns (all but the first, which is the id) of these rows: float32, or
    category.
    """
    return table.select(table.column_names[1:]).take(rows).to_pandas()
