"""Trials: experiments of DVC, run one after the other in the workspace.

Not by DVC's queue, which is known to stop early, to lose the logs of failed runs and to exit with 0
after a failure.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.script import InputError
from harness.tree import leaves

from experiments.outcome import ALS_ALONE, EVALUATE
from experiments.revision import WORKSPACE, Revision
from experiments.settings import Setting, name_of, override
from experiments.workspace import TRIAL, dvc, git

STAGE_OF_ALS = Path("stages/extra/als_alone.yaml")
PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
PATIENCE_S = 60  # for a run that was asked to end


@dataclass(frozen=True)
class Trial:
    """A setting and the experiment that tries it."""

    name: str
    setting: Setting

    @property
    def overrides(self) -> list[str]:
        """KEY=VALUE for `dvc exp run -S`."""
        return [override(key, value) for key, value in self.setting.items()]


def trials_of(prefix: str, settings: list[Setting]) -> list[Trial]:
    """A trial for each setting, all with names of their own."""
    trials = [Trial(name_of(prefix, setting), setting) for setting in settings]
    if len({trial.name for trial in trials}) < len(trials):
        trials = [Trial(f"{one.name}-{number}", one.setting) for number, one in enumerate(trials)]
    return trials


def finished(trials: list[Trial]) -> set[str]:
    """The names of those that are experiments on the present commit already, with the same
    parameters. InputError where an experiment of that name has others.
    """
    code, listed = run_to_end(dvc("exp", "list", "--name-only"))
    if code:
        raise InputError(reason_in(listed))
    names = set(listed.split())
    present = leaves(Revision(WORKSPACE).yaml("params.yaml"))
    found = set()
    for trial in trials:
        if trial.name in names:
            theirs = leaves(Revision(trial.name).yaml("params.yaml"))
            ours = present | trial.setting
            for key in {**ours, **theirs}:
                if key != "threads" and ours.get(key) != theirs.get(key):
                    raise InputError(
                        f"there is an experiment {trial.name} with {key} {theirs.get(key)}, not "
                        f"{ours.get(key)}: give another --name, or dvc exp remove {trial.name}"
                    )
            found.add(trial.name)
    return found


def leave_to_als() -> None:
    """Makes the workspace one in which ALS alone is judged: with the stage for it, and without the
    results of all other stages, which would be those of other parameters.
    """
    TRIAL.mkdir(exist_ok=True)
    shutil.copyfile(STAGE_OF_ALS, TRIAL / "dvc.yaml")
    git("add", str(TRIAL / "dvc.yaml"))
    stages = Revision(WORKSPACE).yaml(EVALUATE.lock).get("stages", {})
    for out in (out for entry in stages.values() for out in entry.get("outs", [])):
        path = Path(out["path"])
        if path.parts[0] == "metrics":
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(
                missing_ok=True
            )


def run(trial: Trial, is_als_alone: bool) -> None:
    """Runs the experiment of a trial; InputError with the stage's own line where it fails."""
    command = dvc("exp", "run", "--name", trial.name)
    for one in trial.overrides:
        command += ["--set-param", one]
    if is_als_alone:
        leave_to_als()
        command.append(f"{TRIAL}/dvc.yaml:{ALS_ALONE.name}")
    code, output = run_to_end(command)
    if code:
        raise InputError(f"{trial.name} ({', '.join(trial.overrides)}) failed: {reason_in(output)}")


def run_to_end(command: list[str]) -> tuple[int, str]:
    """Exit code and output of a command, in a process group of its own: it is asked to end, and
    waited for, when this process is interrupted.
    """
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": path},
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        try:
            code = process.wait()
        except BaseException:
            end(process)
            raise
        output.seek(0)
        return code, output.read()


def die_with_parent() -> None:
    """Makes this process end when the one that started it is killed outright; on Linux alone."""
    if sys.platform == "linux":
        PRCTL(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def end(process: subprocess.Popen) -> None:
    """Ends a process and all that it has started: by an interrupt, which DVC and the stages obey,
    and by force where that takes too long.
    """
    for number, seconds in ((signal.SIGINT, PATIENCE_S), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
            process.wait(seconds)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def reason_in(output: str) -> str:
    """The line in which a stage says what is wrong, else DVC's own."""
    stages = {path.stem for path in Path("stages").glob("*.py")}
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    own = [line for line in lines if line.partition(":")[0] in stages and ": " in line]
    errors = [re.sub(r"^ERROR: ", "", line) for line in lines if line.startswith("ERROR: ")]
    return ([*own[-1:], *errors, *lines[-1:]] or ["without a word"])[0]
