"""Converts the data set of data.source and data.path to the tables of core/tables.py.

usage: python stages/ingest.py
in:    the files in data.path (data/raw for the downloaded MovieLens)
out:   data/tables: interactions.parquet, users.parquet, items.parquet, item_tags.npz,
       item_embeddings.npy, item_titles.parquet; core/tables.py has columns, dtypes and order
"""

from core import tables
from core.params import section
from core.script import report, run_script

from readers import READERS, DataParams


def main() -> None:
    data = section("data", DataParams)
    result = READERS[data.source](data)
    tables.write(result)
    n_positive = result.interactions["is_positive"].to_numpy().sum()
    report(
        f"{result.interactions.num_rows:,} interactions ({n_positive:,} positive) of "
        f"{result.users.num_rows:,} users and {result.items.num_rows:,} items"
    )
    if channels := tables.channels_of(result.interactions.column_names):
        report(f"feedback channels: {', '.join(channels)}")


if __name__ == "__main__":
    run_script(main)
