"""Training examples, which are candidate lists with features and labels, and their files."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from core.lists import Lists

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path("data/features")
KEYS = {"user": pa.int32(), "item": pa.int32(), "label": pa.uint8(), "n_relevant": pa.int32()}


@dataclass(frozen=True)
class Examples(Lists):
    """Candidate lists with features and labels, in the order of the candidates."""

    user: np.ndarray  # int32 (n_rows,): rows in users.parquet
    item: np.ndarray  # int32 (n_rows,): rows in items.parquet
    label: np.ndarray  # uint8 (n_rows,): strength of the feedback in the target window, or 0
    n_relevant: np.ndarray  # int32 (n_rows,): all relevant items of the user
    values: np.ndarray  # float32 (n_rows, n_features), in column-major order
    names: list[str]  # of the columns
    categorical: list[str]  # names of categorical columns

    def take(self, rows: np.ndarray) -> "Examples":
        """Return the rows of a mask."""
        kept = {name: getattr(self, name)[rows] for name in KEYS}
        return replace(self, **kept, values=np.take(self.values.T, np.flatnonzero(rows), axis=1).T)


def schema(names: list[str], categorical: list[str]) -> pa.Schema:
    """Return the columns of the file: keys, then one float32 column per feature."""
    fields = [*KEYS.items(), *((name, pa.float32()) for name in names)]
    return pa.schema(fields, metadata={"categorical": json.dumps(categorical)})


def read(fold: str, folder: Path = FOLDER) -> Examples:
    """Read the examples of a fold."""
    table = pq.read_table(folder / f"{fold}.parquet")
    names = table.column_names[len(KEYS) :]
    values = np.empty((len(names), table.num_rows), dtype=np.float32)
    for number, name in enumerate(names):
        np.concatenate([part.to_numpy() for part in table[name].chunks], out=values[number])
    categorical = json.loads(table.schema.metadata[b"categorical"])
    keys = [table[name].to_numpy() for name in KEYS]
    return Examples(*keys, values.T, names, categorical)
