"""Run the stages of dvc.yaml in their order, without DVC: the same bytes in a third of the time.

usage: python tests/one_process.py [FIRST]   in the top folder; FIRST: the stage to begin with
in:    dvc.yaml, params.yaml, and what FIRST reads
out:   the outs of the stages

For tests in which DVC has no part. Each stage runs in a fork of this process, which has loaded the
code of all stages, so nothing but files goes from one stage to the next.
"""

import importlib
import multiprocessing
import sys
from pathlib import Path

from ruamel.yaml import YAML


def run(script: str) -> None:
    """Do what `python SCRIPT` does."""
    from core.script import run_script

    sys.argv = [script]
    run_script(importlib.import_module(Path(script).stem).main)


def main() -> None:
    stages = YAML(typ="safe").load(Path("dvc.yaml"))["stages"]
    first = list(stages).index(sys.argv[1] if sys.argv[1:] else "download")
    scripts = [entry["cmd"].split()[1] for entry in list(stages.values())[first:]]
    sys.path.insert(0, "stages")
    importlib.import_module("core.process")  # before any library
    for script in scripts:
        importlib.import_module(Path(script).stem)
    for script in scripts:
        process = multiprocessing.get_context("fork").Process(target=run, args=(script,))
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(f"{script}: exit {process.exitcode}")


if __name__ == "__main__":
    main()
