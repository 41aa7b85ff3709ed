"""Retrieves the candidates of a fold on local-cluster[2,1,1024], and kills an executor meanwhile.

usage: PYTHONPATH=stages python tests/spark_cluster.py FOLDER FOLD MARKER
in:    FOLDER: where the stages on Spark before `candidates` have run
out:   the receipt of the lists on stdout; MARKER: the number of the process that was killed

An executor is a process of its own, in a folder of its own: closures, broadcasts, the code of
stages/ and the files of the item side reach it by Spark alone.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from harness.params import is_judged, section

import pyarrow as pa

from factorization.als import AlsParams
from retrieval import CandidatesParams, SourcesParams
from spark.engine.session import session
from spark.engine.settings import SparkParams


def parent_of(process: int) -> int:
    text = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("PPid"))


def once_killed(function: Callable, marker: Path) -> Callable:
    """The function, but the first block ends the executor that works on it."""

    def on_block(rows: pa.Table) -> pa.Table:
        try:
            with marker.open("x") as file:
                executor = parent_of(os.getppid())  # of the daemon that this worker is a child of
                file.write(str(executor))
        except FileExistsError:
            return function(rows)
        os.kill(executor, signal.SIGKILL)
        return function(rows)

    return on_block


def main(fold: str, marker: Path) -> None:
    cluster = {"master": "local-cluster[2,1,1024]", "executor_memory": "1g"}
    params = section("spark", SparkParams).model_copy(update=cluster)
    candidates, sources = section("candidates", CandidatesParams), section("sources", SourcesParams)
    with session(params, "cluster") as spark:
        from spark.engine.candidates import schema_of_lists
        from spark.engine.data_sets import DataSets, digest_of
        from spark.engine.distributed import map_blocks
        from spark.engine.item_side import ship
        from spark.engine.models import SOURCES
        from spark.engine.passes import Retrieval, in_window

        names = [name for name in candidates.sources if name in SOURCES]
        sets = DataSets(spark, params.folder)
        files = ship(sets, fold)
        per_source, als = candidates.per_source, section("als", AlsParams)
        retrieval = Retrieval(files, is_judged(fold), names, sources, per_source, als, params)
        window = retrieval_window(sets, fold)
        rows = in_window(sets.read("windows", "logs").repartition(4), window)
        lists = map_blocks(rows, once_killed(retrieval, marker), schema_of_lists(names))
        print(json.dumps(digest_of(lists)))


def retrieval_window(sets: object, fold: str) -> int:
    """The target window of the fold."""
    return json.loads(sets.files.read_utf8(sets.path(f"item_side/{fold}.items/fold.json")))[
        "window"
    ]


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    main(sys.argv[2], Path(sys.argv[3]))
