"""Converts the data set of data.source to tables by Spark SQL.

usage: python stages/spark/ingest.py
in:    the files in spark.input, or in data.path if spark.input is ''. `download` writes those of
       MovieLens to data/raw
out:   in spark.folder: interactions, users, items, and schema/schema.json; the columns are in
       spark/raw/tables.py
       metrics/spark/receipts/ingest.json
"""

import sys

sys.path[0] += "/.."  # the packages of stages/

from core.params import section
from core.script import InputError, report, run_script

from readers import DataParams
from spark.engine.data_sets import data_sets
from spark.raw import vk
from spark.raw.tables import read_locally

READERS = {"vk-notebook": vk.read_notebook, "vk-lsvd": vk.read_lsvd}  # others: read_locally


def main() -> None:
    data = section("data", DataParams)
    with data_sets("ingest") as sets:
        folder = sets.params.input.rstrip("/") or data.path
        if not sets.files.exists(folder):
            key = "spark.input" if sets.params.input else "data.path"
            raise InputError(f"params.yaml: {key} is {folder!r}: not found")
        tables = READERS.get(data.source, read_locally)(sets.spark, folder, data)
        names = ("interactions", "users", "items")
        n_rows = [sets.write(name, getattr(tables, name))["rows"] for name in names]
        sets.write_folder("schema", tables.schema.save)
        report("{:,} interactions of {:,} users and {:,} items".format(*n_rows))


if __name__ == "__main__":
    run_script(main)
