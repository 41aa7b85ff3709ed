"""Writes the recommendations of a fold in the form that courses and challenges ask for.

usage: python stages/submit.py [FOLD] [--out FILE]
in:    data/recommendations/FOLD.parquet; FOLD is test, if not given
out:   FILE, submission.csv if not given: user_id,item_id as in the source, a row per recommended
       item, by user, best first
"""

from pathlib import Path

from core.script import InputError, report, run_script, whole

import pandas as pd

from experiments.arguments import Arguments


def main(arguments: list[str]) -> None:
    parser = Arguments("submit", __doc__)
    parser.add_argument("fold", nargs="?", default="test", metavar="FOLD")
    parser.add_argument("--out", type=Path, default=Path("submission.csv"), metavar="FILE")
    given = parser.parse_args(arguments)
    path = Path(f"data/recommendations/{given.fold}.parquet")
    if not path.exists():
        known = sorted(one.stem for one in path.parent.glob("*.parquet"))
        hint = f"FOLD is one of {', '.join(known)}" if known else "run dvc repro or dvc pull"
        raise InputError(f"{path}: not found; {hint}")
    lists = pd.read_parquet(path, columns=["user_id", "item_id"])  # best first
    with whole(given.out) as temporary:
        lists.to_csv(temporary, index=False)
    report(f"{given.out}: {len(lists):,} rows, the lists of fold {given.fold}")


if __name__ == "__main__":
    run_script(main)
