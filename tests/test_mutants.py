"""The faults of tests/mutation are still faults of the code: python tests/mutation/run.py."""

import ast

import pytest

from mutants import TOP, Mutant, read_mutants

MUTANTS = read_mutants()


def test_there_are_many_and_no_two_are_the_same() -> None:
    assert len(set(MUTANTS)) == len(MUTANTS) >= 100


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.path}: {mutant.old}")
def test_the_text_occurs_once_and_the_fault_is_code(mutant: Mutant) -> None:
    code = (TOP / "stages" / mutant.path).read_text(encoding="utf-8")
    assert code.count(mutant.old) == 1
    assert ast.dump(ast.parse(mutant.apply(code))) != ast.dump(ast.parse(code))
    assert all((TOP / "tests" / name).is_file() for name in mutant.tests)
