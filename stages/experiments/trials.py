"""Trials: settings with their results on the validation folds, kept under a name.

A trial of the hybrid is an experiment of DVC. They run one after the other in the workspace, not in
DVC's queue, which is known to stop early, to lose the logs of failed runs and to exit with 0
after a failure.

A trial of ALS alone has no results of other stages. As an experiment it would show those of other
parameters, or remove metrics/ from the workspace when it is applied. So it is a folder below
.dvc/tmp/search, with its params.yaml and the files of stages/als_alone.py.
"""

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from core.script import InputError, report

from ruamel.yaml import YAML

from experiments.outcome import Outcome, lists_of, load
from experiments.processes import dvc, git, python
from experiments.revision import WORKSPACE, Revision
from experiments.settings import Setting, override

FOLDER = Path(".dvc/tmp/search")
SCRIPT = Path("stages/als_alone.py")
LAST = "metrics/als_alone.json"  # the script writes it last
KIND = "validation"


@dataclass(frozen=True)
class Trial:
    """A setting, all parameters with it (dotted key -> value), and the name of its results."""

    setting: Setting
    params: Setting
    name: str

    @property
    def overrides(self) -> list[str]:
        """KEY=VALUE for `dvc exp run -S`."""
        return [override(key, value) for key, value in self.setting.items()]


def trials_of(prefix: str, settings: list[Setting], present: Setting) -> list[Trial]:
    """Return a trial for each setting, named by a hash of all that its results depend on."""
    code = b"".join(path.read_bytes() for path in sorted(Path("stages").rglob("*.py")))
    split = Revision(WORKSPACE).tree("dvc.lock").get("stages", {}).get("split", {}).get("outs")
    inputs = [git("rev-parse", "HEAD"), hashlib.sha256(code).hexdigest(), split]
    trials = []
    for setting in settings:
        params = {key: value for key, value in (present | setting).items() if key != "threads"}
        text = json.dumps([params, *inputs], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        trials.append(Trial(setting, params, f"{prefix}-{digest}"))
    return trials


def experiment_outcome(trial: Trial) -> Outcome | None:
    """Return the results of a trial of the hybrid; None if there are none, or none any more."""
    if not git("for-each-ref", f"refs/exps/*/*/{trial.name}"):
        return None
    try:
        return load(trial.name, KIND, "hybrid")
    except InputError as error:
        report(f"{str(error).partition(';')[0]}; it runs again now")
        dvc("exp", "remove", trial.name)
        return None


def run_experiment(trial: Trial) -> Outcome:
    """Run the pipeline in the workspace. DVC would leave out a file that git does not know."""
    if new := git("ls-files", "--others", "--exclude-standard", "stages"):
        raise InputError(f"experiments would lack {new.splitlines()[0]}; run git add on it first")
    pairs = [word for one in trial.overrides for word in ("--set-param", one)]
    dvc("exp", "run", "--name", trial.name, *pairs)
    return load(trial.name, KIND, "hybrid")


@functools.cache
def check_split() -> None:
    """InputError where data/split does not belong to params.yaml."""
    try:
        dvc("status", "--quiet", "--with-deps", "split")
    except InputError:
        raise InputError("data/split is not up to date; run dvc repro split first") from None


def als_outcome(trial: Trial) -> Outcome | None:
    """Return the results of a trial of ALS alone; None if it did not run to its end."""
    folder = FOLDER / trial.name
    if not (folder / LAST).exists():
        return None
    lists = lists_of(lambda path: (folder / path).open("rb"), "data/als_alone", KIND, "als")
    return Outcome(trial.name, "", trial.params, {}, "", lists, has_seeds=False)


def run_als(trial: Trial) -> Outcome:
    """Run the script in the trial's folder, where data/ has links to the files of the workspace."""
    check_split()
    folder = FOLDER / trial.name
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for path in Path("data").iterdir():
        link = folder / "data" / path.name
        if path.name != SCRIPT.stem and not link.is_symlink():
            link.symlink_to(path.resolve())
    tree = Revision(WORKSPACE).tree("params.yaml")
    for key, value in trial.setting.items():
        *sections, name = key.split(".")
        functools.reduce(dict.__getitem__, sections, tree)[name] = value
    YAML(typ="safe").dump(tree, folder / "params.yaml")
    python(str(SCRIPT.resolve()), folder=folder)
    return als_outcome(trial)
