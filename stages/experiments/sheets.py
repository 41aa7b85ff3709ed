"""Tables for people: aligned text, Markdown, or drawn on a terminal."""

import math
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Sheet:
    """A table of texts, with a title and the names of its columns; the first column is a name, and
    aligned to the left.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]


def signed(value: float) -> str:
    """A difference, without a sign where it is as good as none."""
    text = f"{value:+.4f}"
    return text if text.strip("+-0.") else text[1:]


def interval(test: dict[str, float]) -> str:
    """Of paired.difference; NaN where there is none."""
    if not test["ci95_low"] <= test["ci95_high"]:
        return "too few users"
    return f"{signed(test['ci95_low'])} to {signed(test['ci95_high'])}"


def p_text(p: float) -> str:
    """A p-value, NaN where there is none."""
    if math.isnan(p):
        return "none"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def plain(sheet: Sheet) -> str:
    """Aligned text, two blanks between columns."""
    lines = [sheet.columns, *sheet.rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(sheet.columns))]
    cells = [
        [cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(pairs)]
        for pairs in (list(zip(line, widths, strict=True)) for line in lines)
    ]
    return "\n".join([sheet.title, *("  ".join(line).rstrip() for line in cells)])


def markdown(sheet: Sheet) -> str:
    """A table of GitHub's Markdown under its title in bold."""

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = ["---", *["---:"] * (len(sheet.columns) - 1)]
    rows = [line(sheet.columns), line(rule), *map(line, sheet.rows)]
    return "\n".join([f"**{sheet.title}**", "", *rows])


def draw(sheets: list[Sheet]) -> None:
    """Prints tables with lines and colours."""
    from rich.console import Console  # a fifth of a second that only a terminal costs
    from rich.table import Table

    console = Console()
    for sheet in sheets:
        table = Table(title=sheet.title, title_justify="left", title_style="bold")
        for at, column in enumerate(sheet.columns):
            table.add_column(column, justify="right" if at else "left", overflow="fold")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table, markup=False)


def show(sheets: list[Sheet]) -> None:
    """Prints tables, drawn where stdout is a terminal."""
    if sys.stdout.isatty():
        draw(sheets)
    else:
        print("\n\n".join(map(plain, sheets)))
