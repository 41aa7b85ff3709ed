"""Cuts the interactions into numbered windows of time and gathers them by user.

usage: python stages/spark/windows.py
in:    in spark.folder: interactions, users, schema; metrics/spark/receipts/ingest.json
out:   in spark.folder: logs, a row per user, by user: user int; NAME, each feature of the user as
         in users; item array<int>, window array<smallint>, is_positive array<boolean>, strength
         array<tinyint>: the user's interactions in time order
       windows, a row per window: the columns of data/split/windows.csv
       metrics/spark/receipts/windows.json

A row contains all interactions of a user. Therefore later stages process users of any fold in one
pass over blocks of rows, without a shuffle.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the packages of stages/

from core.folds import SplitParams, folds_of
from core.params import section, shared_params
from core.script import InputError, run_script

from pyspark.sql import functions as F  # noqa: N812

from spark.engine.data_sets import DataSets
from spark.engine.session import session
from spark.engine.windows import logs_of, summary, with_windows
from spark.params import SparkParams
from spark.raw.tables import Schema


def main() -> None:
    params, n_parts = section("spark", SparkParams), section("split", SplitParams).windows
    shared = shared_params()
    with session(params, "windows") as spark:
        sets = DataSets(spark, params.folder)
        interactions, schema = sets.read("ingest", "interactions"), Schema.read(sets)
        rows, n_windows = with_windows(interactions, n_parts, schema.n_weeks)
        folds_of(shared.folds, n_windows)  # raises if folds need more windows
        counts = summary(rows, n_windows, schema.first_week if schema.n_weeks else None)
        sets.write("windows", counts)
        if not sets.read_made("windows").agg(F.sum("n_positives")).first()[0]:
            raise InputError("data.positive: no interaction is positive; check the rule")
        sets.write("logs", logs_of(rows, sets.read("ingest", "users"), list(schema.users)))
        sets.save("windows")


if __name__ == "__main__":
    run_script(main)
