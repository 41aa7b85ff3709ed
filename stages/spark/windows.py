"""Cuts the interactions into numbered windows of time and gathers them by user.

usage: python stages/spark/windows.py
in:    in spark.folder: interactions, users, schema; metrics/spark/receipts/ingest.json
out:   in spark.folder: logs, a row a user, by user: user int; NAME, each feature of the user as in
         users; item array<int>, window array<smallint>, is_positive array<boolean>, strength
         array<tinyint>: its interactions in time order
       windows, a row a window: the columns of data/split/windows.csv
       metrics/spark/receipts/windows.json

A row holds all that a user has done: so everything that is computed user by user later, of any
fold, is one pass over blocks of rows, without a shuffle.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the packages of stages/

from harness.params import Strict, section, shared_params
from harness.script import InputError, run_script

from pydantic import Field

from spark.engine.session import session
from spark.engine.settings import SparkParams


class SplitParams(Strict):
    """Parameters of the split."""

    windows: int = Field(ge=3, le=1000)  # parts of equal size, for sources without weeks


def main() -> None:
    params, n_parts = section("spark", SparkParams), section("split", SplitParams).windows
    shared = shared_params()
    with session(params, "windows") as spark:
        from pyspark.sql import functions as F  # noqa: N812

        from spark.engine.data_sets import DataSets
        from spark.engine.folds import schema_of
        from spark.engine.windows import logs_of, summary, with_windows

        sets = DataSets(spark, params.folder)
        interactions = sets.read("ingest", "interactions")
        schema = schema_of(sets)
        rows, n_windows = with_windows(interactions, n_parts, schema.n_weeks)
        if len(shared.folds) >= n_windows:
            raise InputError(
                f"params.yaml: folds has {shared.folds[n_windows - 1]}, which needs "
                f"{n_windows + 1} windows or more; the data has {n_windows}"
            )
        counts = summary(rows, n_windows, schema.first_week if schema.n_weeks else None)
        sets.write("windows", counts)
        if not sets.read_made("windows").agg(F.sum("n_positives")).first()[0]:
            raise InputError(
                "data.positive: no interaction is positive; nothing can be learned or judged"
            )
        sets.write("logs", logs_of(rows, sets.read("ingest", "users"), list(schema.users)))
        sets.save("windows")


if __name__ == "__main__":
    run_script(main)
