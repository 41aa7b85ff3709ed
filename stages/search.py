"""Tries settings of parameters and compares each with the present one on the validation folds.

usage: python stages/search.py KEY=VALUE,VALUE ... [--metric als.map@10] [--name PREFIX]
       python stages/search.py KEY=LOW..HIGH[:log] ... --draws N
in:    params.yaml and all that `dvc exp run` needs; for als, data/ and what als_alone.py needs
out:   on stdout the settings, the best first, each with its difference from the present one, and
       the command that applies the best of those that are better. For hybrid, an experiment
       PREFIX-... for each setting; for als, a folder .dvc/tmp/search/PREFIX-...

The metric is map@k or ndcg@k of `hybrid` or of `als`. For als only stages/als_alone.py runs, which
takes seconds. Called again, it runs only what is missing. The workspace is as before in the end.
"""

import contextlib
import re
import shlex
import time

from core.params import leaves
from core.script import InputError, report, run_script

from experiments import trials
from experiments.arguments import Arguments
from experiments.outcome import Outcome
from experiments.paired import METRICS, SIGNIFICANT, against
from experiments.revision import WORKSPACE, Revision
from experiments.settings import Setting, draws, grid, parse
from experiments.sheets import interval, p_text, signed, text_of
from experiments.trials import Trial
from experiments.workspace import alone, kept

MOVES_LISTS = ("data.", "split.", "folds", "evaluate.")  # then nothing can be compared
MOVES_ALS = ("als.", "seed", "sources.recent_popular.")


def check_keys(keys: list[str], model: str) -> None:
    """InputError for a key that changes what is judged, or nothing of what is judged."""
    for key in keys:
        if key.startswith(MOVES_LISTS):
            raise InputError(f"{key} changes the lists that settings are judged by")
        if key == "threads" or (model == "als" and not key.startswith(MOVES_ALS)):
            raise InputError(f"{key} does not change {model}: name another key or --metric")


def metric_of(text: str | None, keys: list[str], k: int) -> tuple[str, str]:
    """Model and metric: als or hybrid, map or ndcg; by default MAP@k of what the keys are of."""
    if text is None:
        return ("als" if all(key.startswith("als.") for key in keys) else "hybrid"), "map"
    known = [f"{model}.{metric}@{k}" for model in ("als", "hybrid") for metric in METRICS]
    if text not in known:
        raise InputError(f"--metric {text}: must be one of {', '.join(known)}")
    model, metric = text.split("@")[0].split(".")
    return model, metric


def settings_of(arguments: list[str], n_draws: int | None, present: Setting) -> list[Setting]:
    """What to try: the present setting, then those that are asked for."""
    axes = dict(parse(argument, present) for argument in arguments)
    asked = grid(axes) if n_draws is None else draws(axes, n_draws, present["seed"])
    now = {key: present[key] for key in axes}
    return [now, *(setting for setting in asked if setting != now)]


def outcomes_of(every: list[Trial], model: str) -> list[Outcome]:
    """The outcomes of all trials. Runs those that have none yet, one after the other."""
    outcome_of, run, keep = trials.experiment_outcome, trials.run_experiment, kept
    if model == "als":
        outcome_of, run, keep = trials.als_outcome, trials.run_als, contextlib.nullcontext
    found = [outcome_of(trial) for trial in every]
    todo = [place for place, outcome in enumerate(found) if outcome is None]
    if not todo:
        return found
    if len(todo) < len(every):
        report(f"{len(every) - len(todo)} of {len(every)} settings ran before")
    with keep():
        for number, place in enumerate(todo, start=1):
            start, words = time.monotonic(), " ".join(every[place].overrides)
            try:
                found[place] = run(every[place])
            except InputError as error:
                raise InputError(f"{words} failed: {error}") from None
            report(f"{number} of {len(todo)}: {words}, {time.monotonic() - start:.0f} s")
    return found


def rows_of(every: list[Trial], outcomes: list[Outcome], tests: list[dict], metric: str) -> list:
    """A row of the table for each trial, the best first."""
    rows = []
    for trial, outcome, test in zip(every, outcomes, [None, *tests], strict=True):
        mean = outcome.values(METRICS[metric]).mean()
        row = [trial.name, *map(str, trial.setting.values()), f"{mean:.4f}", "present", "", ""]
        if test:
            row[-3:] = signed(test["difference"]), interval(test), p_text(test["p_holm"])
        rows.append((-mean, row))
    return [row for _, row in sorted(rows)]


def advice(every: list[Trial], tests: list[dict], model: str) -> str:
    """What to do: apply the best setting that is better than the present one, or keep that."""
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
        f"The best of {len(every)} looks better than it is, chosen on the lists that judge it.\n"
        f"Apply it: dvc exp {f'run {overrides}' if model == 'als' else f'apply {best.name}'}"
    )


def search(arguments: list[str], n_draws: int | None, metric: str | None, name: str) -> None:
    """Run the trials that have no outcome yet, and print the ranking of all."""
    present = leaves(Revision(WORKSPACE).tree("params.yaml"))
    settings = settings_of(arguments, n_draws, present)
    keys, k = list(settings[0]), present["evaluate.k"]
    model, metric = metric_of(metric, keys, k)
    check_keys(keys, model)
    every = trials.trials_of(name, settings, present)
    outcomes = outcomes_of(every, model)
    tests = [tests[metric] for tests in against(outcomes[0], outcomes[1:])]
    columns = ["trial", *keys, f"{model}.{metric}@{k}", "difference", "95 % interval", "p, Holm"]
    title = f"{len(every)} settings on validation, {len(outcomes[0].lists)} lists"
    print(text_of(title, columns, rows_of(every, outcomes, tests, metric), False))
    print(f"\n{advice(every, tests, model)}")


def main(arguments: list[str]) -> None:
    parser = Arguments("search", __doc__)
    parser.add_argument("settings", nargs="+", metavar="KEY=VALUES")
    parser.add_argument("--draws", type=int, help="so many random settings, not the whole grid")
    parser.add_argument("--metric", help="als.map@10, hybrid.map@10, or ndcg@10 of either")
    parser.add_argument("--name", default="search", help="what the names of trials begin with")
    given = parser.parse_args(arguments)
    if not re.fullmatch(r"\w[\w-]*", given.name):  # it names a folder
        raise InputError(f"--name {given.name}: must be letters, digits, _ and -")
    with alone():
        search(given.settings, given.draws, given.metric, given.name)


if __name__ == "__main__":
    run_script(main)
