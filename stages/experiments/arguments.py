"""Arguments of the scripts that people run."""

import argparse
from typing import NoReturn

from core.script import InputError


class Arguments(argparse.ArgumentParser):
    """Python's own parser, but what is wrong ends in one line, as everywhere here."""

    def __init__(self, script: str, docstring: str | None) -> None:
        """docstring  of the script, of which --help shows the first line; Python -OO has none"""
        super().__init__(prog=script, description=(docstring or "").partition("\n")[0])

    def error(self, message: str) -> NoReturn:
        usage = " ".join(self.format_usage().split())
        raise InputError(f"{message}; {usage}")
