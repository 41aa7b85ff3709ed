"""Compares experiments list by list: is one better than another, and is the difference real?

usage: python stages/compare.py REV [REV ...] [--fold test] [--model als] [--json | --markdown]
in:    of each REV (a branch, a commit, an experiment of DVC, or `workspace`): params.yaml,
       dvc.yaml, dvc.lock, and from DVC's cache or a remote data/split/folds.json and
       data/per_user/FOLD.parquet
out:   on stdout, each REV against the first: the difference of MAP@k and NDCG@k on all validation
       (test) folds with its 95 % interval and p-value, which cover users and seeds of the ranker; p
       corrected for the number of REVs; lists won, tied and lost; the same by window; what differs
       in parameters and code

A single REV is compared with the workspace. --json is for programs, --markdown for a pull request.
"""

import json
import math

from core.script import run_script

from experiments.arguments import Arguments
from experiments.outcome import load
from experiments.paired import SIGNIFICANT, compare
from experiments.sheets import Sheet, interval, p_text, signed, text_of


def metric_sheet(found: dict, metric: str) -> Sheet:
    """A row per revision, the reference first."""
    p_keys = {"p_value": "p"} | ({"p_holm": "p, Holm"} if len(found["runs"]) > 1 else {})
    counts, rows = ["wins", "ties", "losses"], []
    columns = ["revision", metric.upper(), "difference", "95 % interval", *p_keys.values(), *counts]
    for run in (found["reference"], *found["runs"]):
        row = [f"{run['revision']} ({run['commit'][:7]})".removesuffix(" ()")]
        row.append(f"{run[metric]:.4f}")
        if "differences" in run:
            test = run["differences"][metric]
            row += [signed(test["difference"]), interval(test)]
            row += [p_text(test[key]) for key in p_keys] + [str(test[key]) for key in counts]
        rows.append(row + [""] * (len(columns) - len(row)))
    title = (
        f"{metric.upper()} of {found['model']} on {found['kind']}: {found['n_lists']} lists of "
        f"{found['n_users']} users in {found['n_windows']} windows"
    )
    return title, columns, rows


def window_sheet(found: dict) -> Sheet:
    """A row per revision and window."""
    rows = [
        [run["revision"], *(str(row[key]) for key in ("fold", "window", "n_lists"))]
        + [f"{row[key]:.4f}" for key in ("reference", "map")]
        + [signed(row["difference"]), interval(row)]
        for run in found["runs"]
        for row in run["windows"]
    ]
    first = found["reference"]["revision"]
    columns = ["revision", "fold", "window", "lists", first, "here", "difference", "95 % interval"]
    return f"MAP@{found['k']} by window", columns, rows


def changes_sheet(found: dict) -> Sheet:
    """A row per revision and parameter or code that differs."""

    def text(value: object) -> str:
        return "" if value is None else value if isinstance(value, str) else json.dumps(value)

    rows = []
    for run in found["runs"]:
        changed = [[key, *map(text, values)] for key, values in run["params"].items()]
        changed += [[path, "", "other code"] for path in run["code"]]
        rows += [[run["revision"], *row] for row in changed or [["nothing", "", ""]]]
    columns = ["revision", "what differs", found["reference"]["revision"], "here"]
    return "Parameters and code", columns, rows


def verdict(found: dict, run: dict) -> str:
    """One sentence on MAP@k of a revision."""
    name, first = run["revision"], found["reference"]["revision"]
    metric = f"map@{found['k']}"
    test = run["differences"][metric]
    gain = f"{metric.upper()} {signed(test['difference'])}"
    if math.isnan(p := test["p_holm"]):
        return f"{name} and {first}: too few users to compare, {gain}"
    said = "better than" if test["difference"] > 0 else "worse than"
    if p >= SIGNIFICANT:
        said = "not significantly different from"
    line = f"{name} is {said} {first}: {gain} ({interval(test)}), p = {p_text(p)}"
    unknown = "; other seeds are not covered (ranker.n_seeds)" if math.isnan(run["seed_sd"]) else ""
    return line.replace("= <", "<") + unknown


def main(arguments: list[str]) -> None:
    parser = Arguments("compare", __doc__)
    parser.add_argument("revisions", nargs="+", metavar="REV", help="the first is the reference")
    parser.add_argument("--fold", choices=["validation", "test"], default="validation")
    parser.add_argument("--model", default="hybrid", help="hybrid, als or a baseline")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="all figures, for programs")
    form.add_argument("--markdown", action="store_true", help="for a pull request")
    given = parser.parse_args(arguments)
    names = given.revisions if len(given.revisions) > 1 else [*given.revisions, "workspace"]
    outcomes = [load(name, given.fold, given.model) for name in names]
    found = compare(outcomes, given.fold, given.model)
    if given.json:
        from evaluation.results import to_json  # loads pandas

        print(to_json(found), end="")
        return
    sheets = [metric_sheet(found, f"{name}@{found['k']}") for name in ("map", "ndcg")]
    sheets += [window_sheet(found), changes_sheet(found)]
    parts = [text_of(*sheet, given.markdown) for sheet in sheets]
    bullet = "- " if given.markdown else ""
    verdicts = "\n".join(f"{bullet}{verdict(found, run)}" for run in found["runs"])
    print("\n\n".join([verdicts, *parts] if given.markdown else [*parts, verdicts]))


if __name__ == "__main__":
    run_script(main)
