"""Writes the table of other libraries' models against this pipeline.

usage: python tests/benchmarks/peers_table.py     (after dvc repro and peers.py, in the environment
       of requirements.txt); it runs five stages again, to measure them
in:    data/peers/PEER.csv and data/peers/costs/PEER.csv; the workspace, as stages/compare.py reads
       it; data/per_user/FOLD.parquet (is_cold)
out:   metrics/peers.csv, a row per model, kind of fold (validation, test) and group of lists (all,
       warm): n_lists, map@k, ndcg@k; difference (of MAP@k, from the hybrid), ci95_low, ci95_high,
       p_value as in compare.py; verdict (won, lost, or even: not significant); seconds of
       processor time per judged fold, peak memory in MB, for fit and recommendations; setting

Seconds of the hybrid are those of all stages from als to recommend, with the label folds that train
its rankers. Those of als are a fit without recommendations.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "stages"))

from core import folds  # noqa: E402
from core.params import kind_of  # noqa: E402

import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from experiments import given_lists, paired  # noqa: E402
from experiments.outcome import Outcome, load  # noqa: E402
from experiments.revision import WORKSPACE  # noqa: E402

IN, OUT = Path("data/peers"), Path("metrics/peers.csv")
STAGES = ("als", "candidates", "features", "ranker", "recommend")


def measured(stage: str) -> tuple[float, int]:
    """Run a stage. Return its seconds of processor time and its peak memory in MB."""
    process = subprocess.Popen([sys.executable, f"stages/{stage}.py"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{stage} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def costs() -> pd.DataFrame:
    """Return seconds per judged fold, mb and setting of each model."""
    of_stage = {stage: measured(stage) for stage in STAGES}
    known = folds.load()
    seconds = sum(of for of, _ in of_stage.values()) / len(known.judged)
    als_s, als_mb = of_stage["als"]
    rows = {
        "hybrid": (seconds, max(mb for _, mb in of_stage.values()), ""),
        "als": (als_s / len(known.windows), als_mb, ""),
    }
    for path in sorted(IN.glob("costs/*.csv")):
        fits = pd.read_csv(path).query("not is_tuning")
        rows[path.stem] = fits["seconds"].mean(), fits["mb"].max(), fits["setting"].iloc[0]
    return pd.DataFrame.from_dict(rows, "index", columns=["seconds", "mb", "setting"])


def rows_of(outcomes: list[Outcome], kind: str, group: str) -> list[dict]:
    """Return the rows of some lists. The first outcome is the hybrid's."""
    first, *others = outcomes
    k, rows = first.params["evaluate.k"], []
    for one, tests in zip(outcomes, [{}, *paired.against(first, others)], strict=True):
        row = {"model": one.name, "fold": kind, "lists": group, "n_lists": len(one.lists)}
        row |= {f"{metric}@{k}": one.values(of).mean() for metric, of in paired.METRICS.items()}
        if tests:
            keys = ("difference", "ci95_low", "ci95_high", "p_value")
            row |= {key: tests["map"][key] for key in keys}
            is_real = row["p_value"] < paired.SIGNIFICANT
            row["verdict"] = ("won" if row["difference"] > 0 else "lost") if is_real else "even"
        rows.append(row)
    return rows


def judged(kind: str) -> list[dict]:
    """Return the rows of all models on all lists, and on those of warm users."""
    given = {path.stem: given_lists.read(path) for path in sorted(IN.glob("*.csv"))}
    reference = replace(load(WORKSPACE, kind, "hybrid"), name="hybrid")
    hybrid, *peers = given_lists.judge(given, reference, kind)[0]
    outcomes = [hybrid, replace(load(WORKSPACE, kind, "als"), name="als"), *peers]
    names = [fold for fold in folds.load().judged if kind_of(fold) == kind]
    if len(hybrid.lists) != len(outcomes[1].lists):
        sys.exit(f"{IN}: each file must have the folds {', '.join(names)}")
    is_cold = [pq.read_table(f"data/per_user/{fold}.parquet")["is_cold"] for fold in names]
    is_warm = ~pa.chunked_array(sum((of.chunks for of in is_cold), [])).to_numpy()
    warm = [replace(one, lists=one.lists.filter(pa.array(is_warm))) for one in outcomes]
    return rows_of(outcomes, kind, "all") + rows_of(warm, kind, "warm")


def main() -> None:
    os.chdir(TOP)
    table = pd.DataFrame(judged("validation") + judged("test"))
    table = table.merge(costs(), left_on="model", right_index=True)
    table = table.round(dict.fromkeys(table.select_dtypes("float"), 4) | {"seconds": 1})
    table.to_csv(OUT, index=False)
    print(table.drop(columns="setting").to_string(index=False))


if __name__ == "__main__":
    main()
