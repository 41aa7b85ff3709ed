"""Tries settings, each as an experiment of DVC, and ranks them by a metric on the validation folds.

usage: python stages/search.py KEY=VALUE,VALUE ... [--metric als.map@10] [--name PREFIX]
       python stages/search.py KEY=LOW..HIGH[:log] ... --draws N
in:    params.yaml and all that `dvc exp run` needs; of experiments that are there already, what
       stages/compare.py reads
out:   an experiment PREFIX-... for each setting; on stdout the settings, the best first, each with
       its difference from the best, and the command that applies the best

The metric is map@k or ndcg@k of `hybrid` or of `als`. For als only a stage of its own runs, which
fits ALS on the validation folds and judges it (stages/als_alone.py): seconds a setting. Called
again, after an interrupt or with more settings, it runs only what is missing. params.yaml, dvc.lock
and metrics/ are in the end as they were before, whatever happens.
"""

import re
import shlex
import sys
import time

from harness.script import InputError, report, run_script
from harness.tree import leaves

from tqdm import tqdm

from experiments import sheets, trials
from experiments.arguments import Arguments
from experiments.outcome import Outcome, load
from experiments.paired import METRICS, check_same_lists, difference
from experiments.revision import WORKSPACE, Revision
from experiments.settings import Setting, draws, grid, parse
from experiments.sheets import Sheet, interval, p_text, signed
from experiments.trials import Trial
from experiments.workspace import alone, kept

MOVES_LISTS = ("data.", "split.", "folds", "evaluate.")  # then nothing can be compared
MOVES_ALS = ("als.", "seed", "sources.recent_popular.")
MOST_DRAWS = 10_000


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
    match = re.fullmatch(rf"(als|hybrid)\.(map|ndcg)@{k}", text)
    if not match:
        raise InputError(f"--metric {text}: must be als or hybrid, a dot, and map@{k} or ndcg@{k}")
    return match[1], match[2]


def run_all(todo: list[Trial], model: str) -> None:
    """Runs the trials one after the other, and leaves the workspace as it is."""
    if not todo:
        return
    with kept(), tqdm(todo, "trials", disable=None) as bar:
        for number, trial in enumerate(bar, start=1):
            bar.set_postfix_str(" ".join(trial.overrides))
            start = time.monotonic()
            trials.run(trial, is_als_alone=model == "als")
            if not sys.stderr.isatty():
                seconds = time.monotonic() - start
                report(f"{number} of {len(todo)}: {' '.join(trial.overrides)}, {seconds:.0f} s")


def ranking(found: list[tuple[Trial, Outcome]], model: str, metric: str) -> Sheet:
    """A row per trial, the best first, with the paired difference from the best."""
    best = found[0][1]
    reference = best.pooled(METRICS[metric])
    draw = (best.user, best.params["evaluate.n_resamples"], best.params["seed"])
    rows = []
    for trial, outcome in found:
        check_same_lists(best, outcome)
        values = outcome.pooled(METRICS[metric])
        row = [trial.name, *map(str, trial.setting.values()), f"{values.mean():.4f}"]
        if outcome is not best:
            test = difference(values, reference, *draw)
            row += [signed(test["difference"]), interval(test), p_text(test["p_value"])]
        rows.append(row + [""] * (len(trial.setting) + 5 - len(row)))
    keys = list(found[0][0].setting)
    name = f"{metric}@{best.params['evaluate.k']}"
    columns = ["experiment", *keys, f"{model}.{name}", "from the best", "95 % interval", "p"]
    title = f"{len(found)} settings on validation, {len(best.user)} lists"
    return Sheet(title, columns, rows)


def settings_of(arguments: list[str], n_draws: int | None, present: Setting) -> list[Setting]:
    """What to try."""
    axes = {}
    for argument in arguments:
        key, axis = parse(argument, present)
        if key in axes:
            raise InputError(f"{key} is given twice")
        axes[key] = axis
    if n_draws is None:
        return grid(axes)
    if not 1 <= n_draws <= MOST_DRAWS:
        raise InputError(f"--draws {n_draws}: must be at least 1 and at most {MOST_DRAWS:,}")
    return draws(axes, n_draws, present["seed"])


def search(arguments: list[str], n_draws: int | None, metric: str | None, name: str) -> None:
    """Runs the trials that are not experiments yet, and prints the ranking of all."""
    present = leaves(Revision(WORKSPACE).yaml("params.yaml"))
    settings = settings_of(arguments, n_draws, present)
    keys = list(settings[0])
    model, metric = metric_of(metric, keys, present["evaluate.k"])
    check_keys(keys, model)

    every = trials.trials_of(name, settings)
    done = trials.finished(every)
    if done:
        report(f"{len(done)} of {len(every)} settings are experiments already")
    run_all([trial for trial in every if trial.name not in done], model)
    found = [(trial, load(trial.name, "validation", model)) for trial in every]
    found.sort(key=lambda pair: -pair[1].pooled(METRICS[metric]).mean())
    sheets.show([ranking(found, model, metric)])
    print(f"\nThe best of {len(found)} looks better than it is, chosen on the lists that judge it.")
    print(f"Apply it: {command_of(found[0][0], model)}")


def command_of(trial: Trial, model: str) -> str:
    """The command after which the workspace has the results of a trial; of ALS alone, those of the
    whole pipeline.
    """
    if model == "hybrid":
        return f"dvc exp apply {trial.name}"
    return "dvc exp run " + " ".join(f"-S {shlex.quote(one)}" for one in trial.overrides)


def main(arguments: list[str]) -> None:
    parser = Arguments("search", __doc__)
    parser.add_argument("settings", nargs="+", metavar="KEY=VALUES")
    parser.add_argument("--draws", type=int, help="so many random settings, not the whole grid")
    parser.add_argument("--metric", help="als.map@10, hybrid.map@10, or ndcg@10 of either")
    parser.add_argument("--name", default="search", help="what the experiments' names begin with")
    given = parser.parse_args(arguments)
    if not re.fullmatch(r"\w[\w-]*", given.name):
        raise InputError(f"--name {given.name}: must be letters, digits, _ and -")
    with alone():
        search(given.settings, given.draws, given.metric, given.name)


if __name__ == "__main__":
    run_script(main)
