"""The faults of mutants.txt, which is also where their form is told."""

import re
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).parents[2]
LIST = Path(__file__).with_name("mutants.txt")


class Mutant(NamedTuple):
    """A file below stages/ with one text replaced, and the test files that should notice it."""

    path: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, code: str) -> str:
        """The code with the fault."""
        return code.replace(self.old, self.new)


def read_mutants() -> list[Mutant]:
    """All of them, in the order of the list."""
    _, *parts = re.split("^# ", LIST.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = []
    for part in parts:
        head, *lines = part.splitlines()
        path, tests = head.split(" by ")
        for line in filter(None, lines):
            old, new = line.split(" => ")
            found.append(Mutant(path, old, new, tuple(tests.split())))
    return found
