"""Arguments of the scripts that people run."""

import argparse
from typing import NoReturn

from harness.script import InputError


class Arguments(argparse.ArgumentParser):
    """Python's own parser, but what is wrong ends in one line, as everywhere here."""

    def error(self, message: str) -> NoReturn:
        usage = " ".join(self.format_usage().split())
        raise InputError(f"{message}; {usage}")
