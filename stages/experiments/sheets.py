"""Tables for people, as aligned text or Markdown."""

import math
from dataclasses import dataclass

from tabulate import tabulate


@dataclass(frozen=True)
class Sheet:
    """A table of texts with a title. The first column is aligned left, the others right."""

    title: str
    columns: list[str]
    rows: list[list[str]]

    def text(self, is_markdown: bool = False) -> str:
        rows = [self.columns, *self.rows]
        align = {"disable_numparse": True, "colalign": ["left"] + ["right"] * (len(rows[0]) - 1)}
        if is_markdown:
            return f"**{self.title}**\n\n{tabulate(rows, 'firstrow', 'pipe', **align)}"
        return f"{self.title}\n{tabulate(rows, (), 'plain', **align)}"


def signed(value: float) -> str:
    """A difference, without a sign where it rounds to 0."""
    text = f"{value:+.4f}"
    return text if text.strip("+-0.") else text[1:]


def interval(test: dict[str, float]) -> str:
    """Of paired.difference; NaN where there is none."""
    ends = test["ci95_low"], test["ci95_high"]
    return "too few users" if math.isnan(ends[0]) else " to ".join(map(signed, ends))


def p_text(p: float) -> str:
    """A p-value, NaN where there is none."""
    return "none" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"
