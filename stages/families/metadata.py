"""The tables of users and items as they are, one column each."""

import numpy as np
import pandas as pd

from families.columns import Columns, is_category
from families.context import Context, FamilyOfFold, Rows


def user(context: Context) -> FamilyOfFold:
    """The columns of users.parquet."""
    return lambda rows: named_rows("user", context.served.metadata, rows.user)


def item(context: Context) -> FamilyOfFold:
    """The columns of items.parquet."""
    return lambda rows: named_rows("item", context.items, rows.item)


def named_rows(prefix: str, frame: pd.DataFrame, rows: np.ndarray) -> Columns:
    """These rows of a frame as columns PREFIX_NAME, categories as categories."""
    return {
        f"{prefix}_{name}": (values.array if is_category(values) else values.to_numpy()).take(rows)
        for name, values in frame.items()
    }


def embedding(context: Context) -> FamilyOfFold:
    """The raw columns of the item's embedding."""

    def columns(rows: Rows) -> Columns:
        width = context.embeddings.shape[1]
        return {f"embedding_{d:02d}": context.embeddings[rows.item, d] for d in range(width)}

    return columns
