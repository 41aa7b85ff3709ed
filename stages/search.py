"""Tries settings of parameters and compares each with the current one on the validation folds.

usage: python stages/search.py KEY=VALUE,VALUE ... [--metric als.map@10] [--name PREFIX]
       python stages/search.py KEY=LOW..HIGH[:log] ... --draws N [--sampler random]
in:    params.yaml and the inputs of `dvc exp run`; for als, the inputs of als_alone.py
out:   on stdout the settings, best first, with their difference from the current setting, and the
       command that applies the best setting if it is better. For hybrid, an experiment PREFIX-...
       for each setting; for als, a folder .dvc/tmp/search/PREFIX-...

With --draws, TPE chooses each setting by the earlier results; --sampler random does not. The search
ends early if the best of the last ten draws is not significantly better than the best before.

The metric is map@k or ndcg@k of `hybrid` or of `als`. For als, only stages/als_alone.py runs, which
takes seconds. The same call again runs only missing trials. The workspace does not change.
"""

import argparse
import contextlib
import itertools
import re
import shlex
import time
from collections.abc import Iterable

from core.params import leaves
from core.script import InputError, report, run_script

from experiments import trials
from experiments.console import Arguments, interval, p_text, signed, text_of
from experiments.outcome import Outcome
from experiments.paired import METRICS, SIGNIFICANT, against
from experiments.revision import WORKSPACE, Revision
from experiments.settings import Draws, grid, parse
from experiments.trials import Trial
from experiments.workspace import alone, kept

MOVES_LISTS = ("data.", "split.", "folds", "evaluate.")  # keys that make results incomparable
LAST = 10  # number of draws without improvement that end a search
MOVES_ALS = ("als.", "seed", "sources.recent_popular.")


def mean_of(outcome: Outcome, metric: str) -> float:
    return float(outcome.values(METRICS[metric]).mean())


def metric_of(text: str | None, keys: list[str], k: int) -> tuple[str, str]:
    """Return the model (als, hybrid) and metric (map, ndcg). The default is MAP@k for the keys.

    Raises InputError for a key that changes the evaluated lists, or that has no effect.
    """
    if text is None:
        text = f"{'als' if all(key.startswith('als.') for key in keys) else 'hybrid'}.map@{k}"
    known = [f"{model}.{metric}@{k}" for model in ("als", "hybrid") for metric in METRICS]
    if text not in known:
        raise InputError(f"--metric {text}: must be one of {', '.join(known)}")
    model, metric = text.split("@")[0].split(".")
    for key in keys:
        if key.startswith(MOVES_LISTS):
            raise InputError(f"{key} changes the evaluated lists, so settings cannot be compared")
        if key == "threads" or (model == "als" and not key.startswith(MOVES_ALS)):
            raise InputError(f"{key} does not change {model}: use another key or --metric")
    return model, metric


def is_settled(outcomes: list[Outcome], metric: str) -> bool:
    """Return whether the last ten draws brought no significant improvement (p >= 0.05).

    The first ten draws of TPE are random, so at least 20 draws are needed.
    """
    if len(outcomes) <= 2 * LAST:
        return False
    before, last = (
        max(part, key=lambda outcome: mean_of(outcome, metric))
        for part in (outcomes[:-LAST], outcomes[-LAST:])
    )
    test = against(before, [last])[0][metric]
    return not (test["difference"] > 0 and test["p_value"] < SIGNIFICANT)


def try_all(
    wanted: Iterable[Trial], n: int, draws: Draws | None, model: str, metric: str
) -> tuple[list[Trial], list[Outcome]]:
    """Return up to n trials and their outcomes. Those without an outcome run now, one by one.

    draws  samples the settings and is told the metric of each trial; None for a grid
    """
    outcome_of, run, keep = trials.experiment_outcome, trials.run_experiment, kept
    if model == "als":
        outcome_of, run, keep = trials.als_outcome, trials.run_als, contextlib.nullcontext
    every, outcomes, has_run = [], [], False
    with contextlib.ExitStack() as stack:
        for number, trial in enumerate(wanted, start=1):
            if (outcome := outcome_of(trial)) is None:
                if not has_run:
                    if every:
                        report(f"{len(every)} of {n} settings ran before")
                    stack.enter_context(keep())
                start, words, has_run = time.monotonic(), " ".join(trial.overrides), True
                try:
                    outcome = run(trial)
                except InputError as error:
                    raise InputError(f"{words} failed: {error}") from None
                report(f"{number} of {n}: {words}, {time.monotonic() - start:.0f} s")
            every.append(trial)
            outcomes.append(outcome)
            if draws:
                draws.tell(trial.setting, mean_of(outcome, metric))
                if number < n and is_settled(outcomes, metric):
                    report(
                        f"stopped after {number - 1} of {n - 1} draws: the best of the last {LAST} "
                        "is not significantly better than the best before"
                    )
                    break
    return every, outcomes


def rows_of(every: list[Trial], outcomes: list[Outcome], tests: list[dict], metric: str) -> list:
    """Return a row of the table for each trial, best first."""
    rows = []
    for trial, outcome, test in zip(every, outcomes, [None, *tests], strict=True):
        mean = mean_of(outcome, metric)
        row = [trial.name, *map(str, trial.setting.values()), f"{mean:.4f}", "present"]
        if test:
            row[-1:] = signed(test["difference"]), interval(test), p_text(test["p_holm"])
        rows.append((-mean, row))
    return [row for _, row in sorted(rows)]


def advice(every: list[Trial], tests: list[dict], model: str) -> str:
    """Return advice: apply the best setting if it is better than the current one, or keep that."""
    present, *others = every
    clear = [
        (test["difference"], trial)
        for test, trial in zip(tests, others, strict=True)
        if test["p_holm"] < SIGNIFICANT
    ]
    gain, best = max(clear, key=lambda pair: pair[0], default=(0.0, present))
    if gain <= 0:
        values = ", ".join(f"{key} {value}" for key, value in present.setting.items())
        return f"{'Nothing better' if clear else 'No difference'} found; keep {values}"
    overrides = " ".join(f"-S {shlex.quote(one)}" for one in best.overrides)
    return (
        f"The best of {len(every)} looks better than it is: it was chosen by these lists.\n"
        f"Apply it: dvc exp {f'run {overrides}' if model == 'als' else f'apply {best.name}'}"
    )


def search(given: argparse.Namespace) -> None:
    """Run all trials without an outcome, and print the ranking of all trials."""
    present = leaves(Revision(WORKSPACE).tree("params.yaml"))
    axes = dict(parse(argument, present) for argument in given.settings)
    keys, k = list(axes), present["evaluate.k"]
    model, metric = metric_of(given.metric, keys, k)
    now, draws = {key: present[key] for key in keys}, None
    if given.draws is None:
        others = [setting for setting in grid(axes) if setting != now]
        n = 1 + len(others)
    else:
        others = draws = Draws(axes, given.draws, given.sampler, present["seed"])
        n = 1 + given.draws
    settings = itertools.chain([now], others)
    wanted = (trials.trial_of(given.name, present, setting) for setting in settings)
    every, outcomes = try_all(wanted, n, draws, model, metric)
    tests = [tests[metric] for tests in against(outcomes[0], outcomes[1:])]
    columns = ["trial", *keys, f"{model}.{metric}@{k}", "difference", "95 % interval", "p, Holm"]
    title = f"{len(every)} settings on validation, {len(outcomes[0].lists)} lists"
    print(text_of(title, columns, rows_of(every, outcomes, tests, metric), False))
    print(f"\n{advice(every, tests, model)}")


def main(arguments: list[str]) -> None:
    parser = Arguments("search", __doc__)
    parser.add_argument("settings", nargs="+", metavar="KEY=VALUES")
    parser.add_argument("--draws", type=int, help="number of settings to try, instead of the grid")
    parser.add_argument("--sampler", choices=["tpe", "random"], default="tpe")
    parser.add_argument("--metric", help="als.map@10, hybrid.map@10, or ndcg@10 of either")
    parser.add_argument("--name", default="search", help="prefix of the names of trials")
    given = parser.parse_args(arguments)
    if not re.fullmatch(r"\w[\w-]*", given.name):  # it is the name of a folder
        raise InputError(f"--name {given.name}: must be letters, digits, _ and -")
    with alone():
        search(given)


if __name__ == "__main__":
    run_script(main)
