"""The counts that README.md gives of the tests are those of the tests."""

import importlib.util
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from mutants import read_mutants
from test_bad_input import LEAVES, WRONG, is_allowed

TESTS = Path(__file__).parent
README = (TESTS / "README.md").read_text(encoding="utf-8")


def counts_of(pattern: str) -> tuple[int, ...]:
    """The numbers in a passage of README.md, of which this is the pattern; a blank matches any."""
    found = re.search(pattern.replace(" ", r"\s+"), README)
    assert found, f"README.md has no {pattern}"
    return tuple(map(int, found.groups()))


def test_bad_input(request: pytest.FixtureRequest) -> None:
    items = request.session.items
    files = {item.path.name for item in items}
    if files != {path.name for path in TESTS.glob("test_*.py")}:
        pytest.skip("only where all tests are collected")
    table = sum(item.path.name == "test_bad_input.py" for item in items)
    words = re.search('-k "(.+?)"', README)[1].split(" or ")
    named = sum(any(word in item.name.lower() for word in words) for item in items)
    for pattern, there in (
        (r"test_bad_input.py \| tail -1 # more than (\d+)", table),
        (r'fit_the_columns" \| tail -1 # more than (\d+)', named),
        (r"The table has more than (\d+) cases", table),
    ):
        (said,) = counts_of(pattern)
        assert 0.9 * there <= said < there


def test_wrong_values() -> None:
    n_wrong = sum(not is_allowed(key, text) for key in LEAVES for text in WRONG)
    assert counts_of(r"(\d+) are (\d+) parameters with seven kinds") == (n_wrong, len(LEAVES))


def test_mutants() -> None:
    n = len(read_mutants())
    assert counts_of(r"ten of (\d+) survived") == counts_of(r"all (\d+) are killed") == (n,)


@pytest.fixture(scope="module")
def interruptions() -> ModuleType:
    path = TESTS / "long/test_interruptions.py"
    spec = importlib.util.spec_from_file_location("test_interruptions", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_faults(interruptions: ModuleType) -> None:
    faults = [fault for of in interruptions.FAULTS.values() for fault in of]
    by_target = Counter(fault.target for fault in faults if fault.act in ("kill", "term", "int"))
    in_a_write = sum(fault.act == "killed by its size" for fault in faults)
    limits = sum(fault.act == "limit" for fault in faults)
    n_stages, n_of_dvc = len({fault.script for fault in faults}), len(interruptions.OF_DVC)
    assert counts_of(r"(\d+) faults brought about") == (len(faults) + n_of_dvc,)
    assert counts_of(r"(\d+) in (\d+) stages") == (len(faults), n_stages)
    assert counts_of(
        r"(\d+) to the stage by SIGKILL, SIGTERM or SIGINT, (\d+) to DVC, (\d+) to the process"
        r" group, (\d+) in the middle of a write, (\d+) limits of file size"
    ) == (*(by_target[target] for target in ("self", "dvc", "group")), in_a_write, limits)
    assert counts_of(r"and (\d+) to DVC itself") == (n_of_dvc,)
