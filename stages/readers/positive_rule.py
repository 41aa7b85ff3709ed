"""The rule data.positive, which defines the positive interactions. It is never executed as code.

    rule        = rule "or" rule | rule "and" rule | "not" rule | comparison | true/false column
    comparison  = value operator value, with the operators < <= > >= == !=
    value       = number | true | false | column | value + - * / value

The rule `true` holds for every row. A column belongs to the interactions, or else is a number of
the user or the item. Any part may be in parentheses, and words may be in capitals (AND). In a
comparison, a true/false column counts as 1 and 0.

A value is unknown if it is null or NaN, if it is computed from an unknown value, or after a
division by zero. An unknown column that is used alone or compared with a number is false, so
`not dislike` is true. Any other comparison with an unknown value is unknown, as in SQL. A row for
which the rule is unknown is not positive.
"""

import ast
import re
from collections import Counter
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from core.script import InputError, report

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COMPARISONS = {ast.Lt: np.less, ast.LtE: np.less_equal, ast.Eq: np.equal}
COMPARISONS |= {ast.Gt: np.greater, ast.GtE: np.greater_equal, ast.NotEq: np.not_equal}
ARITHMETIC = {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide}
WORDS = {"and": "and", "or": "or", "not": "not", "true": "True", "false": "False"}  # to Python
ALLOWED = "numbers, columns, + - * /, < <= > >= == !=, and, or, not, (); true/false columns alone"
Metadata = tuple[pa.Table, np.ndarray]  # users.parquet and the user of each row; same for items
Values = tuple[np.ndarray | float, np.ndarray]  # numbers (n_rows,) or one; which are unknown


@dataclass(frozen=True)
class Rule:
    """A parsed rule: its text and its syntax tree."""

    text: str
    tree: ast.expr

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """Parse a rule. Raises InputError if the text is not a rule."""
        spelled = re.sub(r"\w+", lambda word: WORDS.get(word[0].lower(), word[0]), text)
        try:
            tree = ast.parse(re.sub(r"\s", " ", spelled).strip(), mode="eval").body
        except SyntaxError as error:
            place = f"position {error.offset}" if error.offset else "the end"
            what = f"{error.msg} at {place}; allowed: {ALLOWED}"
            raise InputError(f"data.positive is {text!r}: {what}") from None
        rule = cls(text, tree)
        rule.check(pa.schema([(name, pa.null()) for name in rule.columns]))  # null fits every use
        return rule

    @property
    def columns(self) -> tuple[str, ...]:
        """Distinct columns that the rule reads, from left to right."""
        return tuple(dict.fromkeys(_names(self.tree)))

    def check(self, schema: pa.Schema, path: Path | None = None) -> None:
        """Raise InputError if a column is missing, not unique or of a type that no rule can use."""
        if twice := [name for name in self.columns if schema.names.count(name) > 1]:
            raise InputError(f"data.positive: users and items both have {twice[0]}; rename one")
        self._truth(schema.empty_table(), f"{path}: " if path else "")

    def evaluate(self, table: pa.Table) -> np.ndarray:
        """Return for which rows the rule is true, bool (n_rows,)."""
        return self._truth(table).fill_null(False).to_numpy(zero_copy_only=False)

    def judge(self, log: pa.Table, *metadata: Metadata) -> tuple[np.ndarray, Counter]:
        """Evaluate the rule on each row. Return bool (n_rows,), and the number of missing values by
        column; the key None counts rows for which the rule is unknown.

        Columns that the log lacks are taken from the metadata. report_unknown() prints the counts.
        """
        self.check(with_numbers(log.schema, *(of.schema for of, _ in metadata)))
        for of, rows in metadata:
            for name in {*self.columns} & {*of.column_names[1:]} - {*log.column_names}:
                log = log.append_column(name, of[name].take(pa.array(rows, mask=rows < 0)))
        truth = self._truth(log)
        n_missing = {name: np.count_nonzero(values(log[name])[1]) for name in self.columns}
        is_true = truth.fill_null(False).to_numpy(zero_copy_only=False)
        return is_true, Counter(n_missing | {None: truth.null_count})

    def _truth(self, table: pa.Table | pa.RecordBatch, where: str = "") -> pa.BooleanArray:
        """Return whether the rule is true, (n_rows,), null if it is unknown."""
        try:
            return _truth(self.tree, table, is_whole=True)
        except InputError as error:
            raise InputError(f"{where}data.positive is {self.text!r}: {error}") from None


def report_unknown(counts: Counter) -> None:
    """Print how many rows lack a value of each column, and for how many the rule is unknown."""
    for name, n in counts.items():
        if n and name is None:
            report(f"data.positive is unknown for {n:,} rows, so they are not positive")
        elif n:
            report(f"data.positive: {name} is null or NaN in {n:,} rows")


def with_numbers(log: pa.Schema, *metadata: pa.Schema) -> pa.Schema:
    """Return the columns that a rule can read: columns of the log and numbers of the metadata."""
    numbers = [of for schema in metadata for of in schema if pa.types.is_floating(of.type)]
    return pa.schema([*log, *(of for of in numbers if of.name not in log.names)])


def _names(tree: ast.expr) -> list[str]:
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return [node.id for node in sorted(names, key=lambda node: node.col_offset)]


def _truth(node: ast.expr, table: pa.Table, is_whole: bool = False) -> pa.BooleanArray:
    match node:
        case ast.BoolOp(op=op, values=parts):
            join = pc.and_kleene if isinstance(op, ast.And) else pc.or_kleene
            return reduce(join, [_truth(part, table) for part in parts])
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return pc.invert(_truth(part, table))
        case ast.Constant(value=True) if is_whole:
            return pa.array(np.ones(len(table), dtype=bool))
        case ast.Name(id=name):
            given, unknown = _column(name, table, is_alone=True)
            return pa.array((given != 0) & ~unknown)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if _names(node):
            (one, no_one), (other, no_other) = _value(left, table), _value(right, table)
            if compare := COMPARISONS.get(type(op)):
                unknown = no_one | no_other
                with np.errstate(over="ignore"):  # a number may be infinite in a narrow float
                    holds = compare(one, other) & ~unknown
                is_plain = ast.Name in (type(left), type(right)) and len(_names(node)) == 1
                return pa.array(holds, mask=None if is_plain else unknown)
    raise _refused(node)


def _value(node: ast.expr, table: pa.Table) -> Values:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number, np.False_
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number, np.False_
        case ast.Name(id=name):
            return _column(name, table)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            (one, no_one), (other, no_other) = _value(left, table), _value(right, table)
            with np.errstate(all="ignore"):
                result = ARITHMETIC[type(op)](np.float64(one), np.float64(other))
            return result, no_one | no_other | ~np.isfinite(result)
    raise _refused(node)


def _refused(node: ast.expr) -> InputError:
    place = f"{ast.unparse(node)!r} at position {node.col_offset + 1}"
    return InputError(f"{place} is not allowed there; allowed: {ALLOWED}")


def _column(name: str, table: pa.Table, is_alone: bool = False) -> Values:
    if name not in table.schema.names:
        there = ", ".join(table.schema.names) or "none"
        raise InputError(f"no column {name}; the columns are {there}")
    kind = table.schema.field(name).type
    is_flag = pa.types.is_boolean(kind) or pa.types.is_null(kind)
    if not (is_flag or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise InputError(f"{name} is {kind}: only columns of numbers or true/false can be compared")
    if is_alone and not is_flag:
        raise InputError(f"{name} is a number ({kind}): compare it, as in {name} > 0")
    return values(table[name])


def values(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return (values, is_missing), (n_rows,) each, of a column of numbers or true/false."""
    if pa.types.is_null(column.type):
        return np.zeros(len(column)), np.ones(len(column), dtype=bool)
    is_missing = column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    filled = column.fill_null(False if pa.types.is_boolean(column.type) else 0)
    return filled.to_numpy(zero_copy_only=False), is_missing
