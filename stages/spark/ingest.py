"""Converts the data set of data.source to tables by Spark SQL.

usage: python stages/spark/ingest.py
in:    the files in spark.input, or in data.path if spark.input is ''. `download` writes those of
       MovieLens to data/raw
out:   in spark.folder: interactions, users, items, and schema/schema.json; the columns are in
       spark/raw/tables.py
       metrics/spark/receipts/ingest.json
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the packages of stages/

from core.params import section
from core.script import InputError, report, run_script

from readers import DataParams
from spark.engine.data_sets import DataSets
from spark.engine.session import session
from spark.params import SparkParams
from spark.raw import movielens, vk

READERS = {
    "movielens-1m": movielens.read,
    "movielens-100k": movielens.read,
    "vk-notebook": vk.read_notebook,
    "vk-lsvd": vk.read_lsvd,
}


def main() -> None:
    params, data = section("spark", SparkParams), section("data", DataParams)
    if data.source not in READERS:
        raise InputError(
            f"params.yaml: data.source is {data.source!r}: only the local pipeline has it"
        )
    with session(params, "ingest") as spark:
        folder = params.input.rstrip("/") or data.path
        sets = DataSets(spark, params.folder)
        if not sets.files.exists(folder):
            key = "spark.input" if params.input else "data.path"
            raise InputError(f"params.yaml: {key} is {folder!r}: not found")
        tables = READERS[data.source](spark, folder, data)
        sets.write("users", tables.users)
        sets.write("items", tables.items)
        made = sets.write("interactions", tables.interactions)
        sets.write_folder("schema", tables.schema.save)
        sets.save("ingest")
        report(
            f"{made['rows']:,} interactions of {tables.schema.n_users:,} users and "
            f"{tables.schema.n_items:,} items"
        )


if __name__ == "__main__":
    run_script(main)
