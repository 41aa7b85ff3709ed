"""The rule data.positive: which interactions count as positive. Read as data, never executed.

    rule        = conjunction {"or" conjunction}
    conjunction = condition {"and" condition}
    condition   = "not" condition | "(" rule ")" | comparison
    comparison  = column | column operator value | value operator column
    operator    = "<" | "<=" | ">" | ">=" | "==" | "!="
    value       = number | "true" | "false"

A column of true/false stands alone (`like`) or is compared by == or != with true, false, 1 or 0; a
column of numbers is compared with a number. Where the value is missing (null, NaN) a comparison is
false, whatever the operator: the feedback was not given. So `not dislike` is true there.
"""

import math
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from harness.script import InputError

import numpy as np
import pyarrow as pa

OPERATORS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}  # 5 < x is x > 5
KEYWORDS = ("and", "or", "not")
LITERALS = {"true": True, "false": False}
ALLOWED = (
    "< <= > >= == != of a column and a number, true/false columns such as like, and, or, not, ()"
)
MAX_DEPTH = 50  # of parentheses and nots; keeps the recursion far from Python's limit

TOKEN = re.compile(
    r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))"
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<operator>[<>=!]=|[<>](?!=))"
    r"|(?P<bracket>[()])"
)


@dataclass(frozen=True)
class Token:
    kind: str  # number, word, keyword, operator, bracket, end
    text: str
    position: int  # in the rule, counted from 1


@dataclass(frozen=True)
class Comparison:
    """`column operator value`; a column that stands alone is compared with True."""

    column: str
    operator: str
    value: int | float | bool


@dataclass(frozen=True)
class Combination:
    """`not` of one part, or several parts joined by `and` or `or`."""

    word: str
    parts: tuple["Combination | Comparison", ...]


@dataclass(frozen=True)
class Rule:
    """A parsed rule."""

    text: str
    tree: Combination | Comparison

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """The rule that `text` states; InputError with one line where it states none."""
        return cls(text, _Parser(text).parse())

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads, each once, in the order in which it names them."""
        return tuple(dict.fromkeys(comparison.column for comparison in _comparisons(self.tree)))

    def check(self, schema: pa.Schema) -> None:
        """InputError where a column is not among the feedback columns, or of no fitting type."""
        for comparison in _comparisons(self.tree):
            index = schema.get_field_index(comparison.column)
            if index < 0:
                there = ", ".join(schema.names) or "none"
                self._fail(f"no column {comparison.column}; the feedback columns are {there}")
            kind = schema.field(index).type
            if not _fits(kind, comparison):
                self._fail(f"{comparison.column} is {_use(kind)}")

    def evaluate(self, table: pa.Table) -> np.ndarray:
        """bool (n_rows,): where the rule holds; InputError as `check` of the table's schema."""
        self.check(table.schema)
        return _evaluate(self.tree, table)

    def _fail(self, what: str) -> NoReturn:
        raise InputError(f"data.positive is {self.text!r}: {what}")


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


def _comparisons(tree: Combination | Comparison) -> Iterator[Comparison]:
    if isinstance(tree, Comparison):
        yield tree
        return
    for part in tree.parts:
        yield from _comparisons(part)


def _fits(kind: pa.DataType, comparison: Comparison) -> bool:
    if pa.types.is_null(kind):
        return True
    if pa.types.is_boolean(kind):
        return comparison.operator in ("==", "!=") and comparison.value in (0, 1)
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return is_number and not isinstance(comparison.value, bool)


def _use(kind: pa.DataType) -> str:
    """What a column of this type is, and what can be done with it."""
    if pa.types.is_boolean(kind):
        return "true/false: write it alone, or compare by == or != with true or false"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return f"of numbers ({kind}): compare it with a number, as in column > 0"
    return f"{kind}: only columns of numbers or true/false can be compared"


def _evaluate(tree: Combination | Comparison, table: pa.Table) -> np.ndarray:
    if isinstance(tree, Comparison):
        numbers, is_missing = values(table[tree.column])
        with np.errstate(over="ignore"):  # a value beyond a narrow float becomes infinite: as good
            return OPERATORS[tree.operator](numbers, tree.value) & ~is_missing
    first, *others = (_evaluate(part, table) for part in tree.parts)
    if tree.word == "not":
        return ~first
    for other in others:
        first = first & other if tree.word == "and" else first | other
    return first


class _Parser:
    """Recursive descent over the grammar in the module's docstring."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokens()
        self.depth = 0
        self._advance()

    def parse(self) -> Combination | Comparison:
        if self.token.kind == "end":
            self._fail("it is empty")
        tree = self._rule()
        if self.token.kind != "end":
            self._unexpected("and, or, or the end")
        return tree

    def _rule(self) -> Combination | Comparison:
        return self._joined("or", self._conjunction)

    def _conjunction(self) -> Combination | Comparison:
        return self._joined("and", self._condition)

    def _joined(self, word: str, part: Callable) -> Combination | Comparison:
        parts = [part()]
        while self._skip(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Combination(word, tuple(parts))

    def _condition(self) -> Combination | Comparison:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._fail(f"more than {MAX_DEPTH} parentheses and nots within each other")
        if self._skip("not"):
            tree = Combination("not", (self._condition(),))
        elif self._skip("("):
            tree = self._rule()
            if not self._skip(")"):
                self._unexpected("a closing parenthesis")
        else:
            tree = self._comparison()
        self.depth -= 1
        return tree

    def _comparison(self) -> Comparison:
        left = self._operand("a column")
        if self.token.kind != "operator":
            if not isinstance(left, str):
                self._unexpected("an operator")
            return Comparison(left, "==", True)
        symbol, position = self.token.text, self.token.position
        self._advance()
        right = self._operand("a number, true or false")
        if isinstance(left, str) == isinstance(right, str):
            self._fail(f"{symbol} at position {position} must compare a column with a value")
        if isinstance(left, str):
            return Comparison(left, symbol, right)
        return Comparison(right, MIRRORED.get(symbol, symbol), left)

    def _operand(self, wanted: str) -> str | float | bool:
        """A column's name, or a value."""
        token = self.token
        if token.kind == "number":
            self._advance()
            return self._number(token)
        if token.kind == "word":
            self._advance()
            return LITERALS.get(token.text.lower(), token.text)
        return self._unexpected(wanted)

    def _number(self, token: Token) -> int | float:
        number = float(token.text)
        if not math.isfinite(number):
            self._fail(f"{token.text[:20]} at position {token.position} is too large")
        is_whole = number.is_integer() and abs(number) < 2**63
        return int(token.text) if is_whole and token.text.lstrip("+-").isdecimal() else number

    def _skip(self, text: str) -> bool:
        """Whether the token is this keyword or parenthesis, which is then behind us."""
        is_it = self.token.kind in ("keyword", "bracket") and self.token.text.lower() == text
        if is_it:
            self._advance()
        return is_it

    def _advance(self) -> None:
        self.token = next(self.tokens)

    def _tokens(self) -> Iterator[Token]:
        position = 0
        while rest := self.text[position:].lstrip():
            position = len(self.text) - len(rest)
            match = TOKEN.match(rest)
            if match is None:
                self._fail(f"{rest.split()[0]!r} at position {position + 1} is not understood")
            is_keyword = match.group().lower() in KEYWORDS
            yield Token("keyword" if is_keyword else match.lastgroup, match.group(), position + 1)
            position += match.end()
        yield Token("end", "", len(self.text) + 1)

    def _unexpected(self, wanted: str) -> NoReturn:
        found = repr(self.token.text) if self.token.text else "the end"
        self._fail(f"{found} at position {self.token.position}, where {wanted} should be")

    def _fail(self, what: str) -> NoReturn:
        raise InputError(f"data.positive is {self.text!r}: {what}; allowed: {ALLOWED}")
