"""Columns of the user and item tables and of the embeddings, without changes."""

import numpy as np
import pandas as pd

from families.columns import Columns, is_category
from families.context import Context, FamilyOfFold


def user(context: Context) -> FamilyOfFold:
    """The columns of users.parquet."""
    return lambda rows: named_rows("user", context.served.metadata, rows.user)


def item(context: Context) -> FamilyOfFold:
    """The columns of items.parquet."""
    return lambda rows: named_rows("item", context.items, rows.item)


def named_rows(prefix: str, frame: pd.DataFrame, rows: np.ndarray) -> Columns:
    """Return rows of a frame as columns PREFIX_NAME, keeping categories."""
    return {
        f"{prefix}_{name}": (values.array if is_category(values) else values.to_numpy()).take(rows)
        for name, values in frame.items()
    }


def embedding(context: Context) -> FamilyOfFold:
    """The columns of the item's embedding."""
    columns = {f"embedding_{d:02d}": values for d, values in enumerate(context.embeddings.T)}
    return lambda rows: {name: values[rows.item] for name, values in columns.items()}
