"""Writes the recommendations of a fold in the form that courses and challenges ask for.

usage: python stages/submit.py [FOLD] [--out FILE]
in:    data/recommendations/FOLD.parquet; FOLD is test, if not given
out:   FILE, submission.csv if not given: user_id,item_id as in the source, a row per recommended
       item, by user, best first
"""

import csv
from pathlib import Path

from harness.script import InputError, report, run_script, whole

import pyarrow.parquet as pq

from experiments.arguments import Arguments

RECOMMENDATIONS = "data/recommendations/{fold}.parquet"


def main(arguments: list[str]) -> None:
    parser = Arguments("submit", __doc__)
    parser.add_argument("fold", nargs="?", default="test", metavar="FOLD")
    parser.add_argument("--out", type=Path, default=Path("submission.csv"), metavar="FILE")
    given = parser.parse_args(arguments)
    path = Path(RECOMMENDATIONS.format(fold=given.fold))
    if not path.exists():
        known = sorted(one.stem for one in path.parent.glob("*.parquet"))
        hint = f"FOLD is one of {', '.join(known)}" if known else "run dvc repro or dvc pull"
        raise InputError(f"{path}: not found; {hint}")
    columns = ["user_id", "item_id"]
    lists = pq.ParquetFile(path)  # best first, as `recommend` writes them
    with whole(given.out) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for batch in lists.iter_batches(columns=columns):
            writer.writerows(zip(*(batch[name].to_pylist() for name in columns), strict=True))
    report(f"{given.out}: {lists.metadata.num_rows:,} rows, the lists of fold {given.fold}")


if __name__ == "__main__":
    run_script(main)
