"""Reads the faults of mutants.txt, which explains their format."""

import re
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).parents[2]
LIST = Path(__file__).with_name("mutants.txt")


class Mutant(NamedTuple):
    """A fault: a text to replace in a file below stages/, and the test files that should fail."""

    path: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, code: str) -> str:
        """Return the code with the fault."""
        return code.replace(self.old, self.new)


def read_mutants() -> list[Mutant]:
    """Read all faults in the order of the list."""
    _, *parts = re.split("^# ", LIST.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = []
    for part in parts:
        head, *lines = part.splitlines()
        path, tests = head.split(" by ")
        for line in filter(None, lines):
            old, new = line.split(" => ")
            found.append(Mutant(path, old, new, tuple(tests.split())))
    return found
