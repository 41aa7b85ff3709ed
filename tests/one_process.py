"""Runs the stages of dvc.yaml in their order, without DVC: the same bytes in a third of the time.

usage: python tests/one_process.py [FIRST]   in the top folder; FIRST: the stage to begin with
in:    dvc.yaml, params.yaml, and what FIRST reads
out:   the outs of the stages, from nothing: what was there of them before is removed

For tests in which DVC has no part. Each stage runs in a fork of this process, which has loaded the
code of all; so nothing but files comes from one stage to the next.
"""

import importlib
import multiprocessing
import shutil
import sys
from pathlib import Path

from ruamel.yaml import YAML


def stages_from(first: str) -> list[tuple[str, list[str]]]:
    """Command and outs of each stage, one per fold where the stage has a matrix."""
    yaml = YAML(typ="safe")
    stages, folds = yaml.load(Path("dvc.yaml"))["stages"], yaml.load(Path("params.yaml"))["folds"]
    names = list(stages)
    found = []
    for entry in (stages[name] for name in names[names.index(first) :]):
        outs = [out for kind in ("outs", "metrics", "plots") for out in entry.get(kind, [])]
        paths = [out if isinstance(out, str) else next(iter(out)) for out in outs]
        for fold in folds if "matrix" in entry else [""]:
            text = [one.replace("${item.fold}", fold) for one in (entry["cmd"], *paths)]
            found.append((text[0], text[1:]))
    return found


def remove(path: Path) -> None:
    """A file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def run(script: str, arguments: list[str]) -> None:
    """What `python SCRIPT ARGUMENTS` does."""
    from harness.script import run_script

    sys.argv = [script, *arguments]
    run_script(importlib.import_module(Path(script).stem).main)


def main() -> None:
    stages = stages_from(*(sys.argv[1:] or ["download"]))
    for _, outs in stages:
        for out in outs:
            remove(Path(out))
    sys.path.insert(0, "stages")
    importlib.import_module("harness")  # before any library
    commands = [command.split()[1:] for command, _ in stages]
    for script in dict.fromkeys(script for script, *_ in commands):
        importlib.import_module(Path(script).stem)
    fork = multiprocessing.get_context("fork")
    for script, *arguments in commands:
        process = fork.Process(target=run, args=(script, arguments))
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(f"{script} {' '.join(arguments)}: exit {process.exitcode}")


if __name__ == "__main__":
    main()
