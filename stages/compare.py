"""Compares experiments list by list: is one better than another, and is the difference real?

usage: python stages/compare.py REV [REV ...] [--fold test] [--model als] [--json | --markdown]
       python stages/compare.py --lists FILE [FILE ...] [--fold test] …
in:    for each REV (a branch, a commit, an experiment of DVC, or `workspace`): params.yaml,
       dvc.yaml, dvc.lock, and from DVC's cache or a remote data/split/folds.json and
       data/per_user/FOLD.parquet
       for --lists: FILE, lists of another model for judged folds, CSV, TSV or Parquet with a row
       per recommended item: fold, user_id, item_id, rank (1, 2, 3, …); the workspace, as above;
       data/split, data/tables/users.parquet and items.parquet
out:   on stdout, for each REV against the first: the difference of MAP@k and NDCG@k over all
       validation (test) folds, with a 95 % interval and p-value that cover users and seeds of the
       ranker; p corrected for the number of REVs; lists won, tied and lost; results by window;
       parameters and code that differ

A single REV is compared with the workspace. Each FILE is compared with the hybrid (or --model), on
the folds that all files have. --json is for programs, --markdown for a pull request.
"""

import json
import math
from dataclasses import replace
from pathlib import Path

from core.script import InputError, run_script

from experiments.console import Arguments, Sheet, interval, p_text, signed, text_of
from experiments.outcome import load
from experiments.paired import SIGNIFICANT, compare
from experiments.revision import WORKSPACE


def metric_sheet(found: dict, metric: str) -> Sheet:
    """Return a table with a row per revision, reference first."""
    p_keys = {"p_value": "p"} | ({"p_holm": "p, Holm"} if len(found["runs"]) > 1 else {})
    counts, rows = ["wins", "ties", "losses"], []
    columns = ["revision", metric.upper(), "difference", "95 % interval", *p_keys.values(), *counts]
    for run in (found["reference"], *found["runs"]):
        name = f"{run['revision']} ({run['commit'][:7]})".removesuffix(" ()")
        rows.append([name, f"{run[metric]:.4f}"])
        if test := run.get("differences", {}).get(metric):
            rows[-1] += [signed(test["difference"]), interval(test)]
            rows[-1] += [*(p_text(test[key]) for key in p_keys), *(test[key] for key in counts)]
    title = (
        f"{metric.upper()} of {found['model']} on {found['kind']}: {found['n_lists']} lists of "
        f"{found['n_users']} users in {found['n_windows']} windows"
    )
    return title, columns, rows


def window_sheet(found: dict) -> Sheet:
    """Return a table with a row per revision and window."""
    rows = [
        [run["revision"], row["fold"], row["window"], row["n_lists"], f"{row['reference']:.4f}"]
        + [f"{row['map']:.4f}", signed(row["difference"]), interval(row)]
        for run in found["runs"]
        for row in run["windows"]
    ]
    first = found["reference"]["revision"]
    columns = ["revision", "fold", "window", "lists", first, "here", "difference", "95 % interval"]
    return f"MAP@{found['k']} by window", columns, rows


def changes_sheet(found: dict) -> Sheet:
    """Return a table with a row per revision and parameter or code that differs."""

    def text(value: object) -> str | None:
        return value if isinstance(value, str | None) else json.dumps(value)

    rows = []
    for run in found["runs"]:
        changed = [[key, *map(text, values)] for key, values in run["params"].items()]
        changed += [[path, None, "other code"] for path in run["code"]]
        rows += [[run["revision"], *row] for row in changed or [["nothing"]]]
    columns = ["revision", "what differs", found["reference"]["revision"], "here"]
    return "Parameters and code", columns, rows


def counts_sheet(found: dict) -> Sheet:
    """Return a table with a row per file of lists."""
    columns = {
        "n_missing": "users without a list, counted as 0",
        "n_short": "shorter lists",
        "n_seen": "items already seen",
        "n_not_judged": "lists of users who are not judged",
    }
    rows = [[name, *(of[key] for key in columns)] for name, of in found["lists"].items()]
    return "Lists", ["file", *columns.values()], rows


def verdict(found: dict, run: dict) -> str:
    """Return one sentence on MAP@k of a revision."""
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
    parser.add_argument("revisions", nargs="*", metavar="REV", help="the first is the reference")
    parser.add_argument("--lists", nargs="+", type=Path, metavar="FILE", help="of other models")
    parser.add_argument("--fold", choices=["validation", "test"], default="validation")
    parser.add_argument("--model", default="hybrid", help="hybrid, als or a baseline")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="all figures, for programs")
    form.add_argument("--markdown", action="store_true", help="for a pull request")
    given = parser.parse_args(arguments)
    if bool(given.revisions) == bool(given.lists):
        raise InputError("give either REV, or --lists FILE, which uses the workspace")
    if given.lists:
        from experiments import given_lists  # loads pandas

        reference = replace(load(WORKSPACE, given.fold, given.model), name=given.model)
        lists = {str(path): given_lists.read(path) for path in given.lists}
        outcomes, counts = given_lists.judge(lists, reference, given.fold)
        found = compare(outcomes, given.fold, f"{given.model} and given lists") | {"lists": counts}
    else:
        names = given.revisions if len(given.revisions) > 1 else [*given.revisions, WORKSPACE]
        outcomes = [load(name, given.fold, given.model) for name in names]
        found = compare(outcomes, given.fold, given.model)
    if given.json:
        from evaluation.results import to_json  # loads pandas

        print(to_json(found), end="")
        return
    sheets = [metric_sheet(found, f"{name}@{found['k']}") for name in ("map", "ndcg")]
    sheets += [window_sheet(found), counts_sheet(found) if given.lists else changes_sheet(found)]
    parts = [text_of(*sheet, given.markdown) for sheet in sheets]
    bullet = "- " if given.markdown else ""
    verdicts = "\n".join(f"{bullet}{verdict(found, run)}" for run in found["runs"])
    print("\n\n".join([verdicts, *parts] if given.markdown else [*parts, verdicts]))


if __name__ == "__main__":
    run_script(main)
