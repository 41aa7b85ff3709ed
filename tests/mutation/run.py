"""Applies the faults of mutants.txt one by one to a copy of the code, and runs the tests that
should fail.

usage: python tests/mutation/run.py [FILE …]    FILE below stages/; all of them without
out:   a line for each fault on stdout, then the counts; exit 1 where one survived
"""

import multiprocessing
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from mutants import TOP, Mutant, read_mutants

TIMEOUT_S = 300  # a fault may make a loop endless
NEEDED = ("stages", "tests", "pyproject.toml", "params.yaml", "dvc.yaml", "dvc.lock")
# loaded once, since they take longer than most tests; core first, as everywhere
LIBRARIES = ["core", "pytest", "pandas", "pyarrow.parquet", "scipy.sparse", "pydantic", "tqdm"]
LIBRARIES += ["lightgbm", "implicit.nearest_neighbours", "implicit.cpu.als", "hypothesis"]


def copy_of_code(folder: Path) -> None:
    """Copy the files of the repository that unit tests need."""
    for name in NEEDED:
        if (TOP / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(TOP / name, folder / name, ignore=ignored)
        else:
            shutil.copy(TOP / name, folder / name)


def run_tests(folder: Path, tests: tuple[str, ...]) -> None:
    """Run pytest and end the process with its exit code."""
    import pytest

    sys.dont_write_bytecode = True  # a fault may have the size and time of the original file
    os.chdir(folder)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())
    options = ["-x", "-q", "-p", "no:cacheprovider", "-o", "addopts="]
    sys.exit(int(pytest.main([*options, *(f"tests/{name}" for name in tests)])))


def fails(folder: Path, tests: tuple[str, ...]) -> bool:
    """Return whether a test file fails in the copy. Raises RuntimeError if tests cannot run."""
    process = multiprocessing.get_context("forkserver").Process(
        target=run_tests, args=(folder, tests)
    )
    process.start()
    process.join(TIMEOUT_S)
    if process.is_alive():
        process.kill()
        process.join()
        return True
    if process.exitcode not in (0, 1):
        raise RuntimeError(f"pytest {' '.join(tests)} in {folder}: exit {process.exitcode}")
    return process.exitcode == 1


def is_killed(folder: Path, mutant: Mutant) -> bool:
    """Return whether the tests notice the fault. The copy is restored afterwards."""
    path = folder / "stages" / mutant.path
    code = path.read_text(encoding="utf-8")
    path.write_text(mutant.apply(code), encoding="utf-8")
    try:
        return fails(folder, mutant.tests)
    finally:
        path.write_text(code, encoding="utf-8")


def main() -> None:
    asked = sys.argv[1:]
    mutants = [mutant for mutant in read_mutants() if not asked or mutant.path in asked]
    counts = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_of_code(folder)
        sys.path.insert(0, str(folder / "stages"))
        multiprocessing.get_context("forkserver").set_forkserver_preload(LIBRARIES)
        for tests in dict.fromkeys(mutant.tests for mutant in mutants):
            if fails(folder, tests):
                sys.exit(f"{' '.join(tests)} fails without a fault")
        for mutant in mutants:
            result = "killed" if is_killed(folder, mutant) else "SURVIVED"
            counts[result] += 1
            print(f"{result:8}  {mutant.path}: {mutant.old} => {mutant.new}", flush=True)
    print(f"{counts['killed']} of {len(mutants)} killed")
    sys.exit(1 if counts["SURVIVED"] else 0)


if __name__ == "__main__":
    main()
