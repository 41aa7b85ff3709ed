"""Arguments and tables of scripts that people run."""

import argparse
import math
from typing import NoReturn

from core.script import InputError

from tabulate import tabulate

Sheet = tuple[str, list[str], list[list]]  # title, columns, rows; None is an empty cell


class Arguments(argparse.ArgumentParser):
    """argparse's parser, with errors in one line."""

    def __init__(self, script: str, docstring: str | None) -> None:
        """Make a parser. --help shows the first line of the script's docstring (none with -OO)."""
        super().__init__(prog=script, description=(docstring or "").partition("\n")[0])

    def error(self, message: str) -> NoReturn:
        usage = " ".join(self.format_usage().split())
        raise InputError(f"{message}; {usage}")


def text_of(title: str, columns: list[str], rows: list[list], is_markdown: bool) -> str:
    """Return a table as text or Markdown. The first column is left-aligned, others to the right."""
    align = {"disable_numparse": True, "colalign": ["left"] + ["right"] * (len(columns) - 1)}
    if is_markdown:
        return f"**{title}**\n\n{tabulate([columns, *rows], 'firstrow', 'pipe', **align)}"
    return f"{title}\n{tabulate([columns, *rows], (), 'plain', **align)}"


def signed(value: float) -> str:
    """Return a difference, without a sign if it rounds to 0."""
    text = f"{value:+.4f}"
    return text if text.strip("+-0.") else text[1:]


def interval(test: dict[str, float]) -> str:
    """Return the text of the interval of paired.difference, whose ends may be NaN."""
    ends = test["ci95_low"], test["ci95_high"]
    return "too few users" if math.isnan(ends[0]) else " to ".join(map(signed, ends))


def p_text(p: float) -> str:
    """Return the text of a p-value, which may be NaN."""
    return "none" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"
