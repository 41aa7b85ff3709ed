"""Writes the recommendations of a fold or of everyone as one file, for courses and challenges.

usage: python stages/submit.py [FOLD | --models everyone] [--out FILE]
in:    data/recommendations/FOLD.parquet (default: test), or data/everyone/recommendations.parquet
out:   FILE (default: submission.csv), parquet if its name ends in .parquet: user_id,item_id as in
       the source, a row per recommended item, by user, best first
"""

from pathlib import Path

from core import tables
from core.params import is_judged, shared_params
from core.script import InputError, report, run_script, whole

import pandas as pd

from experiments.console import Arguments
from rankers import serving


def main(arguments: list[str]) -> None:
    parser = Arguments("submit", __doc__)
    lists_of = parser.add_mutually_exclusive_group()
    lists_of.add_argument("fold", nargs="?", default="test", metavar="FOLD")
    lists_of.add_argument("--models", choices=["everyone"])
    parser.add_argument("--out", type=Path, default=Path("submission.csv"), metavar="FILE")
    given = parser.parse_args(arguments)
    if given.out.suffix not in (".csv", ".parquet"):
        raise InputError(f"{given.out}: must end in .csv or .parquet")
    if given.models:
        serving.check_origin()
        path = serving.EVERYONE / "recommendations.parquet"
    else:
        path = Path(tables.RECOMMENDATIONS.format(fold=given.fold))
        judged = [fold for fold in shared_params().folds if is_judged(fold)]
        if given.fold not in judged:
            raise InputError(f"{given.fold}: FOLD must be one of {', '.join(judged)}")
        if not path.exists():
            raise InputError(f"{path}: not found; run dvc repro or dvc pull")
    lists = pd.read_parquet(path, columns=["user_id", "item_id"])  # best first
    with whole(given.out) as temporary:
        is_parquet = given.out.suffix == ".parquet"
        (lists.to_parquet if is_parquet else lists.to_csv)(temporary, index=False)
    report(f"{given.out}: {len(lists):,} rows, the lists of {given.models or f'fold {given.fold}'}")


if __name__ == "__main__":
    run_script(main)
