"""The rule data.positive: which interactions count as positive. Read as data, never executed.

A rule is written in Python's grammar, of which it may use, with parentheses around any of them:

    rule        = rule "or" rule | rule "and" rule | "not" rule | comparison
    comparison  = column | column operator value | value operator column
    operator    = "<" | "<=" | ">" | ">=" | "==" | "!="
    value       = a decimal number, with or without sign | "true" | "false"

and, or, not, true and false may be in capitals; no column can be named so, nor by another keyword
of Python. A column of true/false stands alone (`like`) or is compared by == or != with true, false,
1 or 0; a column of numbers is compared with a number. Where the value is missing (null, NaN) a
comparison is false, whatever the operator: the feedback was not given. So `not dislike` is true
there.
"""

import ast
import keyword
import math
import operator
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate

from harness.script import InputError

import numpy as np
import pyarrow as pa

OPERATORS = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
MIRRORED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}  # 5 < x is x > 5
WORDS = {"and": "and", "or": "or", "not": "not", "true": "True", "false": "False"}  # in Python
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
ALLOWED = (
    "< <= > >= == != of a column and a number, true/false columns such as like, and, or, not, ()"
)
MAX_DEPTH = 50  # of parentheses, and of nots; keeps the recursion far from Python's limit
TOO_DEEP = f"more than {MAX_DEPTH} parentheses or nots within each other"


@dataclass(frozen=True)
class Comparison:
    """`column operator value`; a column that stands alone is compared with True."""

    column: str
    operator: Callable  # a value of OPERATORS
    value: int | float | bool


@dataclass(frozen=True)
class Rule:
    """A parsed rule: its text, Python's tree of it, and the comparisons in it, from the left."""

    text: str
    tree: ast.expr
    comparisons: tuple[Comparison, ...]

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """The rule that `text` states; InputError with one line where it states none."""
        comparisons = []

        def noted(comparison: Comparison) -> bool:
            comparisons.append(comparison)
            return True

        try:
            tree = _parsed(text)
            _holds(tree, text, noted)
        except InputError as error:
            raise _error(text, f"{error}; allowed: {ALLOWED}") from None
        return cls(text, tree, tuple(comparisons))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads, each once, in the order in which it names them."""
        return tuple(dict.fromkeys(comparison.column for comparison in self.comparisons))

    def check(self, schema: pa.Schema) -> None:
        """InputError where a column is not among the feedback columns, or of no fitting type."""
        for comparison in self.comparisons:
            index = schema.get_field_index(comparison.column)
            if index < 0:
                there = ", ".join(schema.names) or "none"
                what = f"no column {comparison.column}; the feedback columns are {there}"
                raise _error(self.text, what)
            if misuse := _misuse(schema.field(index).type, comparison):
                raise _error(self.text, f"{comparison.column} is {misuse}")

    def evaluate(self, table: pa.Table) -> np.ndarray:
        """bool (n_rows,): where the rule holds; InputError as `check` of the table's schema."""
        self.check(table.schema)

        def compared(comparison: Comparison) -> np.ndarray:
            numbers, is_missing = values(table[comparison.column])
            with np.errstate(over="ignore"):  # beyond a narrow float a value is infinite: as good
                return comparison.operator(numbers, comparison.value) & ~is_missing

        return _holds(self.tree, self.text, compared)


def values(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """(values, is_missing), (n_rows,) each, of a column of numbers or true/false."""
    if pa.types.is_null(column.type):
        return np.zeros(len(column)), np.ones(len(column), dtype=bool)
    is_missing = np.zeros(len(column), dtype=bool)
    if column.null_count:
        is_missing = column.is_null().to_numpy()
        column = column.fill_null(0 if not pa.types.is_boolean(column.type) else False)
    numbers = column.to_numpy()
    if pa.types.is_floating(column.type):
        is_missing = is_missing | np.isnan(numbers)
    return numbers, is_missing


def _error(text: str, what: str) -> InputError:
    return InputError(f"data.positive is {text!r}: {what}")


def _misuse(kind: pa.DataType, comparison: Comparison) -> str | None:
    """What a column of this type is and allows, if not this comparison."""
    if pa.types.is_null(kind):
        return None
    if pa.types.is_boolean(kind):
        if comparison.operator in (operator.eq, operator.ne) and comparison.value in (0, 1):
            return None
        return "true/false: write it alone, or compare by == or != with true or false"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        if not isinstance(comparison.value, bool):
            return None
        return f"of numbers ({kind}): compare it with a number, as in column > 0"
    return f"{kind}: only columns of numbers or true/false can be compared"


def _parsed(text: str) -> ast.expr:
    """Python's tree of the rule, each node at its characters in `text`; InputError without one."""
    if not text.strip():
        raise InputError("it is empty")
    if max(accumulate((c == "(") - (c == ")") for c in text)) > MAX_DEPTH:
        raise InputError(TOO_DEEP)
    spelled = re.sub(r"\w+|#", lambda word: _spelling(word, text), text)
    spelled = re.sub(r"\s", "\f", spelled)  # a blank that is neither an indent nor a new line
    try:
        with warnings.catch_warnings(action="error"):  # of Python, such as about 5or
            return ast.parse(f"{spelled}\n", mode="eval").body
    except SyntaxError as error:
        where = f"{_found(text, error.offset - 1)}: " if error.offset else ""
        raise InputError(where + re.split("[.;] ", error.msg)[0]) from None
    except ValueError as error:  # a null byte, half a character
        raise InputError(str(error)) from None
    except (RecursionError, MemoryError):
        raise InputError(TOO_DEEP) from None


def _spelling(match: re.Match, text: str) -> str:
    """The word for Python's parser, of the same length; InputError for a keyword that no rule has.

    Letters beyond ASCII are masked, since Python takes some names for the same that are not (NFKC),
    and counts bytes; the name itself is read from the text.
    """
    word = match.group()
    if word.lower() in WORDS:
        return WORDS[word.lower()]
    if word == "#" or keyword.iskeyword(word):
        what = "is a word of Python that no rule has, nor may a column be named so"
        raise InputError(f"{_found(text, match.start(), match.end())} {what}")
    return re.sub(r"[^\x00-\x7f]", "_", word)


def _holds(node: ast.expr, text: str, compared: Callable, n_nots: int = 0) -> np.ndarray | bool:
    """Where the node is true, given where a Comparison is; InputError for what no rule may use.

    compared  what to call for each Comparison, from the left; n_nots  how many nots it is within
    """
    match node:
        case ast.BoolOp(op=op, values=parts):
            join = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return reduce(join, [_holds(part, text, compared, n_nots) for part in parts])
        case ast.UnaryOp(op=ast.Not(), operand=part):
            if n_nots == MAX_DEPTH:
                raise InputError(TOO_DEEP)
            return np.logical_not(_holds(part, text, compared, n_nots + 1))
        case ast.Name():
            return compared(Comparison(_written(node, text), operator.eq, True))
        case ast.Compare(left=ast.Name() as column, ops=[op], comparators=[value]):
            symbol = type(op)
        case ast.Compare(left=value, ops=[op], comparators=[ast.Name() as column]):
            symbol = MIRRORED.get(type(op), type(op))
        case _:
            found = _found(text, node.col_offset, node.end_col_offset)
            raise InputError(f"{found} must be a column, or compare one with a value")
    name = _written(column, text)
    return compared(Comparison(name, OPERATORS[symbol], _value(value, text)))


def _value(node: ast.expr, text: str) -> int | float | bool:
    """The number, true or false that the node is, or InputError."""
    found = _found(text, node.col_offset, node.end_col_offset)
    written = _written(node, text)
    if written.lower() in ("true", "false"):
        return written.lower() == "true"
    if not NUMBER.fullmatch(written):
        raise InputError(f"{found}, where a number, true or false should be")
    number = float(written)
    if math.isinf(number):
        raise InputError(f"{found} is too large")
    return int(written) if written.lstrip("+-").isdecimal() and abs(number) < 2**63 else number


def _written(node: ast.expr, text: str) -> str:
    """The characters of the node."""
    return text[node.col_offset : node.end_col_offset]


def _found(text: str, start: int, end: int | None = None) -> str:
    """What stands at a place, to the next blank if it has no end, and its position from 1."""
    found = text[start:end] if end else "".join(text[start:].split()[:1])
    return f"{repr(found[:40]) if found else 'the end'} at position {start + 1}"
