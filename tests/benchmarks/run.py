"""Benchmarks; each prints medians or ratios of what ran in one go, so that a slow hour of the
machine does not matter.

usage: python tests/benchmarks/run.py [steps] [shares] [growth] [large]   (all four without one)

steps   each step of a two-stage recommender as notebooks write it against the pipeline's, and the
        ranker's fit; on the data that the last `dvc repro` left in data/ (1 minute on MovieLens-1M)
shares  what part of every stage's wall time is spent inside library kernels, on simulated
        VK-LSVD of the size of the subsample up0.001_ip0.001 (8 minutes, 3 GB)
growth  wall time and peak memory of every stage of `dvc repro` on simulated VK-LSVD of 1, 2 and 4
        times a base size, seven folds and five models
large   wall time and peak memory of every stage of `dvc repro` on simulated VK-LSVD of the size
        of the subsample up0.001_ip0.001, with the family `channels`, seven folds and five
        models (20 minutes)

Simulated data is as tests/simulator.py describes it. Linux only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
HERE = TOP / "tests" / "benchmarks"
sys.path[:0] = [str(TOP / "stages"), str(TOP / "tests"), str(HERE)]

from harness import process  # noqa: E402, F401, before all others

# isort: split

import pandas as pd  # noqa: E402

import measured  # noqa: E402
import simulator  # noqa: E402
import steps  # noqa: E402
from clone import Clone, make  # noqa: E402

REPEATS = 5
UP_0001 = {"users": 10_000, "items": 19_600, "rows": 47_000_000, "weeks": 27}
BASE = {"users": 2_500, "items": 4_000, "rows": 1_000_000, "weeks": 12}
TIMES = (1, 2, 4)  # users and rows of BASE; the catalogue stays
SIMULATED = {"data.source": "vk-lsvd", "data.positive": "timespent > 5"}
LARGE = {"candidates.sources": ["als", "item_knn", "recent_popular", "content"]}  # no EASE
FEWER = {  # as a first look at so much data should be: one validation window, fewer models
    "folds": ["test", "validation", *(f"label_{number}" for number in range(1, 6))],
    "ranker.n_seeds": 5,
}


def show(title: str, frame: pd.DataFrame, digits: int = 2) -> None:
    """Prints a table."""
    print(f"\n{title}\n{frame.round(digits).to_string(index=False)}", flush=True)


def run_steps() -> None:
    """Point `steps` of the module's docstring."""
    os.chdir(TOP)
    show(f"Seconds, medians of {REPEATS}", steps.compare(steps.steps(), REPEATS), 3)
    fit, scores = steps.ranker_fit(REPEATS)
    show(f"Seconds, medians of {REPEATS}", fit, 3)
    print("MAP@10 on lists of the fold validation with a relevant item:", scores)


def commands(clone: Clone) -> Iterator[list[str]]:
    """Stage and fold of every stage of dvc.yaml, in its order."""
    folds = clone.yaml("params.yaml")["folds"]
    for stage in clone.yaml("dvc.yaml")["stages"].values():
        script = Path(stage["cmd"].split()[1]).stem
        listed = stage.get("matrix", {}).get("fold", [None])
        for fold in folds if listed == "${folds}" else listed:
            yield [script, fold] if fold else [script]


def run_shares() -> None:
    """Point `shares` of the module's docstring."""
    with tempfile.TemporaryDirectory() as folder:
        clone = simulated(Path(folder), UP_0001, LARGE)
        rows = []
        for command in commands(clone):
            result = subprocess.run(
                [sys.executable, str(HERE / "kernels.py"), *command],
                cwd=clone.folder,
                capture_output=True,
                text=True,
                check=False,
            )
            if result.returncode:
                sys.exit(result.stderr)
            rows.append({"stage": command[0], **json.loads(result.stderr.splitlines()[-1])})
    frame = pd.DataFrame(rows).fillna(0.0).groupby("stage", sort=False).sum()
    frame.loc["all"] = frame.sum()
    whole = frame.sum(axis=1)
    frame.insert(0, "wall", whole)
    frame["share"] = 1 - (frame["start-up"] + frame["else"]) / whole
    show("Seconds, all folds of a stage together; share of kernels", frame.reset_index())


def run_growth() -> None:
    """Point `growth` of the module's docstring."""
    seconds, memory = {}, {}
    for times in TIMES:
        with tempfile.TemporaryDirectory() as folder:
            size = BASE | {name: times * BASE[name] for name in ("users", "rows")}
            frame = measured.repro(simulated(Path(folder), size, FEWER))
        stage = frame["stage"].str.split("@").str[0]
        seconds[f"{times} x"] = frame.groupby(stage, sort=False)["seconds"].sum()
        memory[f"{times} x"] = frame.groupby(stage, sort=False)["peak_mb"].max()
    for title, table in (("Seconds", seconds), ("Peak memory, MB", memory)):
        frame = pd.DataFrame(table)
        for less, more in zip(TIMES, TIMES[1:], strict=False):
            frame[f"{more} / {less}"] = frame[f"{more} x"] / frame[f"{less} x"]
        show(f"{title}, all folds of a stage", frame.reset_index())


def run_large() -> None:
    """Point `large` of the module's docstring."""
    with tempfile.TemporaryDirectory() as folder:
        clone = simulated(Path(folder), UP_0001, LARGE | FEWER)
        groups = clone.yaml("params.yaml")["features"]["groups"]
        clone.set_params({"features.groups": [*groups, "channels"]})
        frame = measured.repro(clone)
    stage = frame["stage"].str.split("@").str[0]
    table = frame.groupby(stage, sort=False).agg(
        processes=("seconds", "size"), seconds=("seconds", "sum"), peak_mb=("peak_mb", "max")
    )
    table.loc["all"] = [len(frame), table["seconds"].sum(), table["peak_mb"].max()]
    show("47 million interactions, all folds of a stage", table.reset_index())


def simulated(folder: Path, size: dict[str, int], params: dict[str, object]) -> Clone:
    """A clone on simulated VK-LSVD, with the default parameters but for those given."""
    data = folder / "raw"
    simulator.write_lsvd(data, **size, seed=0, threads=os.cpu_count())
    return make(folder, data, {**SIMULATED, **params})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = {"steps": run_steps, "shares": run_shares, "growth": run_growth, "large": run_large}
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help=", ".join(known))
    chosen = parser.parse_args().benchmarks or list(known)
    if unknown := [name for name in chosen if name not in known]:
        parser.error(f"no benchmark {unknown[0]}; there are {', '.join(known)}")
    for name in chosen:
        known[name]()


if __name__ == "__main__":
    main()
