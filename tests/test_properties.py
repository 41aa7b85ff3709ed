"""What must hold of any input: drawn by hypothesis, the same cases in every run. A reader or a rule
takes it or says in one line why not, every row is accounted for, and no metric is NaN.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

from core.script import InputError
from core.tables import Tables
from core.top_lists import EvaluateParams, top_k

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

import test_vk_notebook as notebook
from evaluation import results
from evaluation.judged import judge
from histories import LIKED, fold_of
from readers import READERS
from test_movielens import params_of

set_hypothesis_home_dir(Path(tempfile.gettempdir(), "hypothesis"))  # not .hypothesis, in here


def cases(n_examples: int) -> Callable:
    """Return settings of hypothesis: n examples, the same in every run, none stored."""
    return settings(
        derandomize=True,
        max_examples=n_examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


SHARES = st.floats(-1, 1, allow_subnormal=False)


@cases(40)
@given(st.data())
def test_no_metric_of_any_lists_is_nan(data: st.DataObject) -> None:
    """Lists that are empty, of nobody judged, of unknown items; cold users or none."""
    n_users, n_items = 12, 8
    pair = st.tuples(st.integers(0, n_users - 1), st.integers(0, n_items - 1))
    rows = [(user, 0, 0, LIKED) for user in range(n_users // 2)]
    rows += [(u, i, 0, s) for (u, i), s in data.draw(st.lists(st.tuples(pair, st.integers(0, 2))))]
    rows += [(u, i, 1, LIKED) for u, i in data.draw(st.lists(pair, max_size=30))]
    rows += [(user, n_items, 1, LIKED) for user in range(n_users)]  # so that everybody is judged
    history, target = fold_of(rows, 1)

    def lists() -> object:
        places = sorted(data.draw(st.sets(pair, max_size=30)))
        user, item = np.array(places, dtype=np.int32).reshape(-1, 2).T
        score = np.array(data.draw(st.lists(SHARES, min_size=len(user), max_size=len(user))))
        return top_k(user, item, score.reshape(len(user)), 3)

    models = {name: lists() for name in ("als", "hybrid", "popular")}
    counts = np.zeros((3, n_users), dtype=np.int64)
    judged = judge(history, target, models, [models["hybrid"]], counts, 3)
    tree = results.summary(judged, EvaluateParams(k=3, n_resamples=100), seed=1, n_threads=1)
    groups = [tree, *(tree[name] for name in ("warm", "cold") if name in tree)]
    for group in groups:
        shares = [*group["als"].items(), *group["hybrid"].items()]
        assert np.isfinite([value for _, value in shares]).all()
        assert all(0 <= value <= 1 for key, value in shares if not key.startswith("coverage"))
        assert np.isfinite([group["uplift"][key] for key in ("map@3", "relative")]).all()
    assert np.isfinite(list(tree["candidates"].values())).all()


NASTY = st.sampled_from(
    ["", " ", "nan", "inf", "-inf", "-1", "0", "5", "1e9", "1e400", "9" * 30, "x", "null", '"', "é"]
    + ["\0", "the", "Drama", "  two  blanks ", "1\t2", "u1", "i1"]
)
HEADS = {
    "inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float",
    "item": "item_id:token\tmovie_title:token_seq\trelease_year:token\tgenre:token_seq",
    "user": "user_id:token\tage:token\tgender:token\toccupation:token",
}


def films(n_items: int = 45, n_users: int = 6) -> dict[str, list[list[str]]]:
    """The rows of a tiny MovieLens."""
    items = [
        [f"i{n}", f"Tale{n % 20} of Town{n % 15}", str(1950 + n), ("Drama", "War")[n % 2]]
        for n in range(n_items)
    ]
    users = [[f"u{n}", str(20 + n), "FM"[n % 2], str(n % 3)] for n in range(n_users)]
    ratings = [
        [f"u{n % n_users}", f"i{n % n_items}", str(1 + n % 5), str(1000 + n)]
        for n in range(2 * n_items)
    ]
    return {"inter": ratings, "item": items, "user": users}


@cases(50)
@given(
    st.lists(
        st.tuples(st.sampled_from([*HEADS]), st.integers(0, 999), st.integers(0, 3), NASTY),
        max_size=4,
    )
)
def test_any_cell_of_movielens_is_read_or_one_line(changes: list[tuple]) -> None:
    """Every rating is in the tables, unless the number of dropped ratings is printed."""
    rows = films()
    for kind, row, column, value in changes:
        rows[kind][row % len(rows[kind])][column] = value
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, of_kind in rows.items():
            text = "\n".join([HEADS[kind], *("\t".join(row) for row in of_kind)]) + "\n"
            (folder / f"ml-1m.{kind}").write_text(text, encoding="utf-8", newline="")
        told = io.StringIO()
        try:
            with contextlib.redirect_stdout(told):
                tables = READERS["movielens-1m"](params_of(folder, "movielens-1m"))
        except InputError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017
            return
    check_tables(tables)
    assert tables.interactions.num_rows == len(rows["inter"]) or "inter" in told.getvalue()


def check_tables(tables: Tables) -> None:
    """Check what every reader promises about its result."""
    log, n_items = tables.interactions, tables.items.num_rows
    for name, n in (("user", tables.users.num_rows), ("item", n_items)):
        assert log[name].null_count == 0
        assert set(log[name].to_pylist()) == set(range(n))
    assert log["is_positive"].null_count == 0
    is_positive, strength = (log[name].to_numpy() for name in ("is_positive", "strength"))
    assert ((strength > 0) == is_positive).all()
    assert strength.max(initial=0) <= 4
    for table in (tables.users, tables.items):
        ids = table.column(0).to_pylist()
        key = str.encode if isinstance(ids[0], str) else None
        assert ids == sorted(set(ids), key=key)
    assert tables.item_tags.shape[0] == len(tables.item_embeddings) == n_items
    sums = np.asarray(tables.item_tags.sum(axis=1)).ravel()
    assert (np.isclose(sums, 1) | (sums == 0)).all()
    bad = ~np.isfinite(tables.item_embeddings)
    assert (bad.all(axis=1) == bad.any(axis=1)).all()


CELLS = {
    "ids": st.one_of(st.none(), st.sampled_from([5, 7, 9, 10, 20, 30, 2**31])),
    "numbers": st.one_of(st.none(), st.floats(width=32), st.integers(-300, 300)),
    "flags": st.one_of(st.none(), st.booleans()),
    "words": st.one_of(st.none(), st.text(max_size=3)),
    "vectors": st.one_of(
        st.none(),
        st.lists(st.sampled_from([1.5, -2.0, None, float("nan")]), min_size=2, max_size=2),
        st.just([]),
    ),
}
EMBEDDING = ("item_embeddings", "embedding")
PLACES = [(name, column) for name, columns in notebook.FILES.items() for column in columns]
PLACES += 9 * [EMBEDDING]  # it can be wrong in most ways


@cases(60)
@given(st.data())
def test_any_column_of_the_vk_layout_is_read_or_one_line(data: st.DataObject) -> None:
    changes: dict[str, dict] = {}
    for name, column in data.draw(st.lists(st.sampled_from(PLACES), max_size=3, unique=True)):
        n = len(notebook.FILES[name][column])
        kinds = ["vectors"] if (name, column) == EMBEDDING else [*CELLS]
        cells = CELLS[data.draw(st.sampled_from(kinds))]
        values = data.draw(st.lists(cells, min_size=n, max_size=n))
        changes.setdefault(name, {})[column] = as_column(values)
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
        folder = notebook.write(Path(name), **changes)
        logs = (folder / f"{of}.parquet" for of in ("train", "test"))
        n_rows = sum(pq.read_metadata(path).num_rows for path in logs)
        try:
            tables = notebook.read(folder, "timespent > 5")
        except InputError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017
            return
    check_tables(tables)
    assert tables.interactions.num_rows == n_rows
    assert tables.interactions["is_positive"].to_numpy().any()


def as_column(values: list) -> pa.Array:
    """Numbers of both kinds are floats, as pandas would have them."""
    has_float = any(isinstance(value, float) for value in values)
    return pa.array([float(v) if has_float and v is not None else v for v in values])
