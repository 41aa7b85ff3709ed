"""Benchmarks on simulated VK-LSVD, see tests/simulator.py.

Each stage runs by itself under DVC (`dvc repro --single-item STAGE`). Its time includes what DVC
adds, and its memory is that of its largest process.

usage: python tests/benchmarks/run.py [growth] [large]; Linux only

growth  processor time and peak memory of every stage of `dvc repro` for a base size, and for twice
        the users, the items and the rows, each alone, with the preset short-video
large   wall time and peak memory of every stage of `dvc repro` for the size of the subsample
        up0.001_ip0.001, with the family `channels`, seven folds and five models
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
HERE = TOP / "tests" / "benchmarks"
sys.path[:0] = [str(TOP / "stages"), str(TOP / "tests"), str(HERE)]

from core import process  # noqa: E402, F401, before all others

# isort: split

import pandas as pd  # noqa: E402

import simulator  # noqa: E402
from clone import Clone, make  # noqa: E402

UP_0001 = {"users": 10_000, "items": 19_600, "rows": 47_000_000, "weeks": 27}
BASE = {"users": 20_000, "items": 30_000, "rows": 900_000, "weeks": 27}
DOUBLED = ("users", "items", "rows")
SIMULATED = {"data.source": "vk-lsvd", "data.positive": "timespent > 5"}
LARGE = {"candidates.sources": ["als", "item_knn", "recent_popular", "content"]}  # no EASE
FEWER = {  # as a first look at so much data should be: one validation window, fewer models
    "folds": ["test", "validation", *(f"label_{number}" for number in range(1, 6))],
    "ranker.n_seeds": 5,
}


def measured(clone: Clone, *stages: str) -> pd.DataFrame:
    """Run stages, or all of them. Returns a row for each.

    Columns: stage, seconds (wall), cpu_seconds, peak_mb (10^6 bytes).
    """
    rows = []
    for stage in stages or clone.yaml("dvc.yaml")["stages"]:
        start = time.perf_counter()
        command = [sys.executable, "-m", "dvc", "repro", "--quiet", "--force", "--single-item"]
        dvc = subprocess.Popen([*command, stage], cwd=clone.folder, env=clone.environment)
        _, status, usage = os.wait4(dvc.pid, 0)
        if status:
            raise RuntimeError(f"{stage} failed in {clone.folder}")
        cpu_s = usage.ru_utime + usage.ru_stime
        rows.append((stage, time.perf_counter() - start, cpu_s, usage.ru_maxrss * 1024 / 1e6))
    return pd.DataFrame(rows, columns=["stage", "seconds", "cpu_seconds", "peak_mb"])


def run_growth() -> None:
    runs = {}
    for name in ("base", *DOUBLED):
        with tempfile.TemporaryDirectory() as folder:
            size = BASE | ({} if name == "base" else {name: 2 * BASE[name]})
            clone = simulated(Path(folder), size, {})
            clone.run(sys.executable, "stages/preset.py", "short-video")
            runs[name] = measured(clone).set_index("stage")
    for column in ("cpu_seconds", "peak_mb"):
        frame = pd.DataFrame({name: of[column] for name, of in runs.items()})
        frame.loc["all"] = frame.sum() if column == "cpu_seconds" else frame.max()
        for name in DOUBLED:
            frame[f"2 x {name}"] = frame.pop(name) / frame["base"]
        print(f"\n{column}, and how many times as much with twice the data")
        print(frame.round(2).to_string())


def run_large() -> None:
    with tempfile.TemporaryDirectory() as folder:
        clone = simulated(Path(folder), UP_0001, LARGE | FEWER)
        groups = clone.yaml("params.yaml")["features"]["groups"]
        clone.set_params({"features.groups": [*groups, "channels"]})
        frame = measured(clone)
    frame.loc["all"] = ["all", *frame[["seconds", "cpu_seconds"]].sum(), frame["peak_mb"].max()]
    print(f"\n47 million interactions\n{frame.round(2).to_string(index=False)}")


def simulated(folder: Path, size: dict[str, int], params: dict[str, object]) -> Clone:
    """Return a clone on simulated VK-LSVD, with these parameters changed."""
    data = folder / "raw"
    simulator.write_lsvd(data, **size, seed=0, threads=os.cpu_count())
    return make(folder, data, {**SIMULATED, **params})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmarks", nargs="+", choices=["growth", "large"])
    for name in parser.parse_args().benchmarks:
        {"growth": run_growth, "large": run_large}[name]()


if __name__ == "__main__":
    main()
