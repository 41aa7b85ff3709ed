"""Command-line arguments of scripts that people run."""

import argparse
from typing import NoReturn

from core.script import InputError


class Arguments(argparse.ArgumentParser):
    """argparse's parser, with errors in one line."""

    def __init__(self, script: str, docstring: str | None) -> None:
        """Make a parser. --help shows the first line of the script's docstring (none with -OO)."""
        super().__init__(prog=script, description=(docstring or "").partition("\n")[0])

    def error(self, message: str) -> NoReturn:
        usage = " ".join(self.format_usage().split())
        raise InputError(f"{message}; {usage}")
