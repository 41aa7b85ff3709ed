"""Trials: settings and their results on the validation folds, stored under a name.

A trial of the hybrid is an experiment of DVC. Trials run one after the other in the workspace. We
do not use DVC's queue, because it may stop early, lose the logs of failed runs and exit with 0
after a failure.

A trial of ALS alone has no results of other stages. As an experiment, it would show results of
other parameters, or remove metrics/ from the workspace when it is applied. Therefore it is a folder
below .dvc/tmp/search with params.yaml and the outputs of stages/als_alone.py.
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
from experiments.settings import Setting
from experiments.workspace import BEFORE

FOLDER = Path(".dvc/tmp/search")
SCRIPT = Path("stages/als_alone.py")
KIND = "validation"


@dataclass(frozen=True)
class Trial:
    """A setting, all its parameters (dotted key -> value), and the name of its results."""

    setting: Setting
    params: Setting
    name: str

    @property
    def overrides(self) -> list[str]:
        """Arguments KEY=VALUE for `dvc exp run -S`."""
        pairs = self.setting.items()
        return [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in pairs]


@functools.cache
def inputs() -> list[object]:
    """Return everything except parameters that the results of a trial depend on."""
    code = b"".join(path.read_bytes() for path in sorted(Path("stages").rglob("*.py")))
    split = Revision(WORKSPACE).tree("dvc.lock").get("stages", {}).get("split", {}).get("outs")
    return [git("rev-parse", "HEAD"), hashlib.sha256(code).hexdigest(), split]


def trial_of(prefix: str, present: Setting, setting: Setting) -> Trial:
    """Return a trial, named by a hash of its parameters and inputs()."""
    params = {key: value for key, value in (present | setting).items() if key != "threads"}
    text = json.dumps([params, *inputs()], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Trial(setting, params, f"{prefix}-{digest}")


def experiment_outcome(trial: Trial) -> Outcome | None:
    """Return the results of a trial of the hybrid, or None if they are not available."""
    if not git("for-each-ref", f"refs/exps/*/*/{trial.name}"):
        return None
    try:
        return load(trial.name, KIND, "hybrid")
    except InputError as error:
        report(f"{str(error).partition(';')[0]}; it runs again now")
        dvc("exp", "remove", trial.name)
        return None


def run_experiment(trial: Trial) -> Outcome:
    """Run the pipeline in the workspace.

    Raises InputError if git does not track a file, because DVC would leave it out.
    """
    if new := git("ls-files", "--others", "--exclude-standard", "stages"):
        raise InputError(f"experiments would lack {new.splitlines()[0]}; run git add on it first")
    pairs = [word for one in trial.overrides for word in ("--set-param", one)]
    dvc("exp", "run", "--name", trial.name, *pairs)
    git("read-tree", f"{BEFORE}^2")  # DVC takes new files out of the index
    return load(trial.name, KIND, "hybrid")


@functools.cache
def check_split() -> None:
    """Raise InputError if data/split does not match params.yaml."""
    try:
        dvc("status", "--quiet", "--with-deps", "split")
    except InputError:
        raise InputError("data/split is not up to date; run dvc repro split first") from None


def als_outcome(trial: Trial) -> Outcome | None:
    """Return the results of a trial of ALS alone, or None if it is not complete."""
    folder = FOLDER / trial.name
    if not (folder / "data" / SCRIPT.stem).exists():  # the script writes it at once, at the end
        return None
    lists = lists_of(lambda path: (folder / path).open("rb"), "data/als_alone", KIND, "als")
    return Outcome(trial.name, "", trial.params, {}, "", lists, has_seeds=False)


def run_als(trial: Trial) -> Outcome:
    """Run the script in the trial's folder, in which data/ has links to files of the workspace."""
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
