"""Compares experiments list by list: is one better than another, and is the difference real?

usage: python stages/compare.py REV [REV ...] [--fold test] [--model als] [--json | --markdown]
in:    of each REV (a branch, a commit, an experiment of DVC, or `workspace`): params.yaml,
       dvc.lock, metrics/validation.json, and from DVC's cache or a remote
       data/split/folds/FOLD.json and data/per_user/FOLD.parquet, or data/als_alone/FOLD.parquet
       where only ALS was judged
out:   on stdout, each REV against the first: the difference of MAP@k and NDCG@k on all validation
       (test) folds, its 95 % interval and p-value by a bootstrap over users, corrected for their
       number where there are several; the lists won, tied and lost; whether the difference exceeds
       what other seeds of the ranker give; the same by window; what differs in parameters and code

A single REV is held against the workspace. A table on a terminal, text elsewhere, --json for
programs, --markdown for a pull request.
"""

import json
import math

from harness.script import run_script

from evaluation.figures import to_json
from experiments import sheets
from experiments.arguments import Arguments
from experiments.outcome import load
from experiments.paired import compare
from experiments.sheets import Sheet, interval, p_text, signed

SIGNIFICANT = 0.05


def short(run: dict) -> str:
    """The name of a revision, with the first digits of its commit."""
    return f"{run['revision']} ({run['commit'][:7]})" if run["commit"] else run["revision"]


def metric_sheet(found: dict, metric: str) -> Sheet:
    """A row per revision, the reference first."""
    first, runs = found["reference"], found["runs"]
    has_several = len(runs) > 1
    columns = ["revision", metric.upper(), "difference", "95 % interval", "p"]
    rows = []
    for run in runs:
        test = run["differences"][metric]
        p = [p_text(test[key]) for key in ("p_value", "p_holm") if key in test]
        counts = [str(test[key]) for key in ("wins", "ties", "losses")]
        row = [short(run), f"{run[metric]:.4f}", signed(test["difference"]), interval(test), *p]
        rows.append(row + counts)
    columns += [*(["p, Holm"] if has_several else []), "wins", "ties", "losses"]
    reference = [short(first), f"{first[metric]:.4f}", *[""] * (len(columns) - 2)]
    return Sheet(
        f"{metric.upper()} of {found['model']} on {found['kind']}: {found['n_lists']} lists of "
        f"{found['n_users']} users in {found['n_windows']} windows",
        columns,
        [reference, *rows],
    )


def window_sheet(found: dict) -> Sheet:
    """A row per revision and window."""
    rows = [
        [
            run["revision"],
            row["fold"],
            str(row["window"]),
            str(row["n_lists"]),
            f"{row['reference']:.4f}",
            f"{row['map']:.4f}",
            signed(row["difference"]),
            interval(row),
        ]
        for run in found["runs"]
        for row in run["windows"]
    ]
    first = found["reference"]["revision"]
    columns = ["revision", "fold", "window", "lists", first, "here", "difference", "95 % interval"]
    return Sheet(f"MAP@{found['k']} by window", columns, rows)


def changes_sheet(found: dict) -> Sheet:
    """A row per revision and parameter or code that differs."""
    rows = []
    for run in found["runs"]:
        changed = [[key, *map(text, values)] for key, values in run["params"].items()]
        changed += [[path, "", "other code"] for path in run["code"]]
        rows += [[run["revision"], *row] for row in changed or [["nothing", "", ""]]]
    columns = ["revision", "what differs", found["reference"]["revision"], "here"]
    return Sheet("Parameters and code", columns, rows)


def text(value: object) -> str:
    return "" if value is None else json.dumps(value) if isinstance(value, list) else str(value)


def verdict(found: dict, run: dict) -> str:
    """One sentence on MAP@k of a revision."""
    metric = f"map@{found['k']}"
    test, seeds = run["differences"][metric], run["seeds"]
    p = test.get("p_holm", test["p_value"])
    word = "better" if test["difference"] > 0 else "worse"
    if math.isnan(p):
        return (
            f"{run['revision']} cannot be told from {found['reference']['revision']} by so few "
            f"users: {metric.upper()} {signed(test['difference'])}"
        )
    is_clear = p < SIGNIFICANT
    said = f"{word} than" if is_clear else "not significantly different from"
    line = (
        f"{run['revision']} is {said} {found['reference']['revision']}: {metric.upper()} "
        f"{signed(test['difference'])} ({interval(test)}), p = {p_text(p)}".replace("= <", "<")
    )
    if seeds["sd"] is None:
        return line
    place = "more" if seeds["is_exceeded"] else "no more"
    return f"{line}; {place} than seeds of the ranker explain (2 x {seeds['sd']:.4f})"


def main() -> None:
    arguments = Arguments(prog="compare", description=__doc__.splitlines()[0])
    arguments.add_argument("revisions", nargs="+", metavar="REV", help="the first is the reference")
    arguments.add_argument("--fold", choices=["validation", "test"], default="validation")
    arguments.add_argument("--model", default="hybrid", help="hybrid, als or a baseline")
    form = arguments.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="all figures, for programs")
    form.add_argument("--markdown", action="store_true", help="for a pull request")
    given = arguments.parse_args()
    names = given.revisions if len(given.revisions) > 1 else [*given.revisions, "workspace"]
    found = compare(
        [load(name, given.fold, given.model) for name in names], given.fold, given.model
    )
    if given.json:
        print(to_json(found))
        return
    shown = [
        *(metric_sheet(found, f"{name}@{found['k']}") for name in ("map", "ndcg")),
        window_sheet(found),
        changes_sheet(found),
    ]
    verdicts = [verdict(found, run) for run in found["runs"]]
    if given.markdown:
        print("\n\n".join([*(f"- {line}" for line in verdicts), *map(sheets.markdown, shown)]))
        return
    sheets.show(shown)
    print("\n" + "\n".join(verdicts))


if __name__ == "__main__":
    run_script(main)
