"""Time by stage of the pipeline on Spark, on simulated data of 1, 2 and 4 times a size.

usage: PYTHONPATH=stages:tests python tests/benchmarks/spark_growth.py FOLDER [USERS]
out:   FOLDER/growth.csv, a row per size and stage: users, rows, stage, seconds (wall clock), cpu_s
       (of the JVM and its Python workers together); in a session that is warm

Users and interactions grow, items stay: USERS (2 000 unless given) with 100 interactions each on
average, of 400 items, in 8 weeks.
"""

import contextlib
import csv
import os
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from core.params import section

import psutil

import simulator
from clone import SMALL, TOP, make
from spark.engine import session as sessions
from spark.params import SparkParams

STAGES = ("ingest", "windows", "als", "item_side", "candidates", "features", "ranker", "recommend")
STAGES += ("baselines", "evaluate")
SETTINGS = {
    "data.source": "vk-lsvd",
    "data.positive": "timespent > 5",
    "folds": ["test", "validation", "label_1", "label_2"],
    "spark.master": "local[2]",
    "spark.partitions": 2,
    "spark.users_at_once": 500,
}


def cpu_seconds() -> float:
    """Of this process and all below it, those that have ended too."""
    total = 0.0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            total += sum(process.cpu_times()[:4])
    return total


def run(folder: Path, users: int, spark: object) -> Iterator[tuple[int, int, str, float, float]]:
    """A row for each stage."""
    n_rows = 100 * users
    simulator.write_lsvd(folder / "raw", users=users, items=400, rows=n_rows, weeks=8, seed=1)
    clone = make(folder, folder / "raw", {**SMALL, **SETTINGS})
    tables = str(clone.folder / "data/spark")  # absolute: the session started in another folder
    clone.set_params({"spark.folder": tables, "spark.checkpoints": f"{tables}/checkpoints"})
    os.chdir(clone.folder)
    for stage in STAGES:
        script = import_module(f"spark.{stage}")
        script.session = lambda *_: contextlib.nullcontext(spark)
        start, cpu = time.perf_counter(), cpu_seconds()
        script.main()
        yield users, n_rows, stage, time.perf_counter() - start, cpu_seconds() - cpu


def main(folder: Path, users: int) -> None:
    os.chdir(TOP)
    cluster = {"master": SETTINGS["spark.master"], "checkpoints": str(folder / "checkpoints")}
    params = section("spark", SparkParams).model_copy(update=cluster)
    folder.mkdir(parents=True, exist_ok=True)
    with sessions.session(params, "growth") as spark, (folder / "growth.csv").open("w") as file:
        table = csv.writer(file)
        table.writerow(["users", "rows", "stage", "seconds", "cpu_s"])
        list(run(folder / "warm", users // 4, spark))
        for times in (1, 2, 4):
            for row in run(folder / str(times), times * users, spark):
                table.writerow(row)
                file.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int((*sys.argv[2:], 2_000)[0]))
