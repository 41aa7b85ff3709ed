"""Turns the data set that data.source and data.path name into tables of one form.

usage: python stages/ingest.py
in:    the files in data.path, which is data/raw where `download` has fetched MovieLens
out:   data/interactions.parquet, data/users.parquet, data/items.parquet, data/item_tags.npz,
       data/item_embeddings.npy, data/item_titles.parquet; columns, dtypes and order stand in
       folds/tables.py
"""

from harness.params import section
from harness.script import report, run_script

from folds import tables
from readers import DataParams, read


def main() -> None:
    data = section("data", DataParams)
    result = read(data)
    tables.write(result)
    n_positive = result.interactions["is_positive"].to_numpy().sum()
    report(
        f"{result.interactions.num_rows:,} interactions ({n_positive:,} positive) of "
        f"{result.users.num_rows:,} users and {result.items.num_rows:,} items"
    )
    channels = [name for name in tables.CHANNELS if name in result.interactions.column_names]
    if channels:
        report(f"feedback channels: {', '.join(channels)}")


if __name__ == "__main__":
    run_script(main)
