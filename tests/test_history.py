"""History and target of a fold: what each holds, and that the history knows nothing later."""

import json
from pathlib import Path

from harness.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from folds.history import (
    INTERACTIONS,
    TARGET_WINDOW,
    History,
    Target,
    draw_users,
    history_of,
    load_fold,
    training_users,
)
from histories import LIKED, SEEN, arrays_of, fold_of, history_before, split_table, target_of

ROWS = [  # user, item, window, strength, in time order
    (5, 7, 0, LIKED),
    (2, 7, 0, SEEN),
    (5, 3, 1, SEEN),
    (2, 9, 1, 2),
    (5, 9, 2, LIKED),
    (8, 3, 2, SEEN),
    (2, 4, 2, 3),
]


def pairs_of(history: History) -> list[tuple[int, int]]:
    users, items = history.users[history.user], history.items[history.item]
    return list(zip(users.tolist(), items.tolist(), strict=True))


def relevant(target: Target) -> list[tuple[int, int, int]]:
    columns = (target.user, target.item, target.strength)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_history_is_every_window_before_the_target() -> None:
    history = history_before(split_table(ROWS), 2)
    assert history.n_windows == 2
    assert pairs_of(history) == [(2, 7), (2, 9), (5, 7), (5, 3)]
    assert history.window.tolist() == [0, 1, 0, 1]
    assert history.is_positive.tolist() == [False, True, True, False]
    assert history.indptr.tolist() == [0, 2, 4]


def test_since_keeps_users_items_and_windows() -> None:
    history = history_before(split_table(ROWS), 3)
    part = history.since(1)
    assert pairs_of(part) == [(2, 9), (2, 4), (5, 3), (5, 9), (8, 3)]
    assert part.window.tolist() == [1, 2, 1, 2, 2]
    assert part.is_positive.tolist() == [True, True, False, True, False]
    assert (part.n_users, part.n_items, part.n_windows) == (3, 4, 3)
    assert part.positives.toarray().tolist() == [[0, 1, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert arrays_of(history.since(0)) == arrays_of(history)
    assert history.since(3).exposures.nnz == 0


@pytest.mark.parametrize("n_parts", [2, 3, 50])
def test_reading_in_parts_changes_nothing(n_parts: int) -> None:
    """Nor where a pair and its repeat are in different parts."""
    table = split_table([*ROWS, (5, 7, 1, SEEN), (2, 7, 1, LIKED), (8, 3, 2, LIKED)])
    whole_history, whole_target = fold_of(table, 2)
    history, target = fold_of(table, 2, n_parts)
    assert arrays_of(history) == arrays_of(whole_history)
    assert relevant(target) == relevant(whole_target)
    assert target.users.tolist() == whole_target.users.tolist()


def test_users_and_items_are_those_of_the_history_alone() -> None:
    history = history_before(split_table(ROWS), 2)
    assert history.users.tolist() == [2, 5]
    assert history.items.tolist() == [3, 7, 9]
    assert (history.users.dtype, history.items.dtype) == (np.int32, np.int32)
    assert history.user_of(np.array([8, 5, 0, 100, 2])).tolist() == [-1, 1, -1, -1, 0]
    assert history.item_of(np.array([4, 9, 3, 100])).tolist() == [-1, 2, 0, -1]
    assert history.item_of(np.zeros(0, dtype=np.int32)).tolist() == []


def test_matrices_keep_the_order_of_time() -> None:
    history = history_before(split_table(ROWS), 2)
    assert history.exposures.indices.tolist() == [1, 2, 1, 0]  # items 7 9 7 3
    np.testing.assert_array_equal(history.exposures.toarray(), [[0, 1, 1], [1, 1, 0]])
    np.testing.assert_array_equal(history.positives.toarray(), [[0, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(history.negatives.toarray(), [[0, 1, 0], [1, 0, 0]])
    assert history.n_positives.tolist() == [1, 1]


def test_target_holds_the_positives_of_its_window_and_all_its_users() -> None:
    target = target_of(split_table(ROWS), 2)
    assert relevant(target) == [(2, 4, 3), (5, 9, LIKED)]
    assert target.users.tolist() == [2, 5, 8]  # 8 liked nothing


def test_contains_is_the_strength_of_a_relevant_pair() -> None:
    target = target_of(split_table(ROWS), 2)
    user = np.array([5, 2, 2, 8, 5, 2], dtype=np.int32)
    item = np.array([9, 4, 9, 3, 4, 100_000], dtype=np.int32)
    assert target.strength_of(user, item).tolist() == [1, 3, 0, 0, 0, 0]
    assert target.strength_of(user, item).dtype == np.uint8
    assert target.strength_of(user[:0], item[:0]).tolist() == []


def test_contains_does_not_confuse_pairs_of_large_numbers() -> None:
    """With 65 536 items the users 1 and 65 537 would be 2**32 apart."""
    user, item = np.array([7, 65_537], np.int32), np.array([65_535, 5], np.int32)
    target = Target(user, user, item, np.array([1, 2], np.uint8))
    assert target.strength_of(user, item).tolist() == [1, 2]
    assert target.strength_of(np.array([1], np.int32), np.array([5], np.int32)).tolist() == [0]


def test_contains_does_not_confuse_items_that_need_more_than_16_bits() -> None:
    """With 16 bits for the item, (0, 65 541) would be (1, 5)."""
    user, item = np.array([1], np.int32), np.array([5], np.int32)
    target = Target(user, user, item, np.array([1], np.uint8))
    assert target.strength_of(np.array([0, 1]), np.array([65_541, 5])).tolist() == [0, 1]


def test_contains_does_not_confuse_items_beyond_the_target() -> None:
    """With 5 items in the target, (0, 9) would be 0 * 5 + 9, and (1, 4) is 1 * 5 + 4."""
    user, item = np.array([1], np.int32), np.array([4], np.int32)
    target = Target(user, user, item, np.array([1], np.uint8))
    assert target.strength_of(np.array([0, 1]), np.array([9, 4])).tolist() == [0, 1]


def test_an_empty_target_contains_nothing() -> None:
    none = np.zeros(0, dtype=np.int32)
    target = Target(none, none, none, none.astype(np.uint8))
    assert target.strength_of(np.array([3]), np.array([4])).tolist() == [0]


@pytest.mark.parametrize(
    ("rows", "known", "expected"),
    [
        ([(0, 1, 0, SEEN), (0, 1, 2, LIKED)], False, []),  # exposed before: no target
        ([(0, 1, 0, LIKED), (0, 1, 2, LIKED)], True, []),
        ([(0, 1, 0, SEEN), (0, 1, 1, 3)], True, []),  # liked later, still in the history
        ([(0, 1, 2, SEEN), (0, 1, 2, 2)], None, [(0, 1, 2)]),  # both in the target window
        ([(0, 1, 2, LIKED), (0, 1, 2, SEEN)], None, [(0, 1, LIKED)]),
        ([(0, 1, 2, SEEN), (0, 1, 3, LIKED)], None, []),  # liked only after the target window
    ],
    ids=["later", "liked-again", "in-history", "same-window", "disliked-again", "too-late"],
)
def test_repeated_pairs(
    rows: list[tuple], known: bool | None, expected: list[tuple[int, int, int]]
) -> None:
    """known: whether the history has the pair as positive, None where it has not got it."""
    table = split_table([(0, 0, 0, LIKED), *rows])
    history, target = history_before(table, 2), target_of(table, 2)
    pairs = dict(zip(pairs_of(history), history.is_positive.tolist(), strict=True))
    assert pairs.get((0, 1)) is known
    assert len(pairs_of(history)) == len(pairs)
    assert relevant(target) == expected


def test_a_repeat_counts_in_the_window_of_the_first_exposure() -> None:
    rows = [(0, 1, 0, SEEN), (0, 2, 0, SEEN), (1, 1, 0, SEEN), (0, 1, 1, LIKED)]
    history = history_before(split_table(rows), 2)
    assert pairs_of(history) == [(0, 1), (0, 2), (1, 1)]
    assert history.window.tolist() == [0, 0, 0]
    assert history.is_positive.tolist() == [True, False, False]


def random_rows(seed: int, windows: range) -> list[tuple[int, int, int, int]]:
    """Dense, so that many pairs are repeated."""
    rng = np.random.default_rng(seed)
    return [
        (int(rng.integers(9)), int(rng.integers(7)), window, int(rng.choice([0, 0, 1, 2])))
        for window in windows
        for _ in range(12)
    ]


@pytest.mark.parametrize("seed", range(30))
def test_history_and_target_share_no_pair(seed: int) -> None:
    """And together they are what a plain reading of the rows says."""
    rows = random_rows(seed, range(4))
    table = split_table(rows)
    for window in (1, 2, 3):
        history, target = history_before(table, window), target_of(table, window)
        exposed = {(u, i) for u, i, w, _ in rows if w < window}
        liked = {(u, i) for u, i, w, s in rows if w < window and s}
        wanted = {(u, i) for u, i, w, s in rows if w == window and s} - exposed
        pairs = pairs_of(history)
        assert len(pairs) == len(exposed)
        assert set(pairs) == exposed
        assert {pair for pair, p in zip(pairs, history.is_positive, strict=True) if p} == liked
        assert {(u, i) for u, i, _ in relevant(target)} == wanted
        assert len(target.user) == len(wanted)
        assert set(target.user) <= set(target.users.tolist())


def test_users_who_only_watch_again_are_target_users() -> None:
    target = target_of(split_table([(0, 1, 0, LIKED), (3, 1, 1, SEEN), (0, 1, 1, LIKED)]), 1)
    assert target.users.tolist() == [0, 3]


@pytest.mark.parametrize("seed", range(10))
def test_the_future_changes_no_byte_of_the_history(seed: int) -> None:
    past = random_rows(seed, range(3))
    alone = arrays_of(history_before(split_table(past), 3))
    for other in (1, 2):
        future = random_rows(100 * other + seed, range(3, 5))
        future += [(90 + other, 80 + other, 3, LIKED), (0, 80 + other, 4, SEEN)]
        changed = history_before(split_table(past + future), 3)
        assert arrays_of(changed) == alone


def test_the_comparison_of_bytes_sees_a_change() -> None:
    past = [(0, 1, 0, SEEN), (1, 1, 0, LIKED)]
    one, other = (history_before(split_table([*past, (1, 0, w, SEEN)]), 1) for w in (0, 1))
    differing = {name for name in arrays_of(one) if arrays_of(one)[name] != arrays_of(other)[name]}
    assert {"items", "indptr", "item", "window", "exposures.indices"} <= differing


def write_split(folder: Path, rows: list[tuple[int, int, int, int]], **windows: int) -> None:
    """What `split` writes of these rows; windows: the target window of each fold."""
    (folder / "data/split/folds").mkdir(parents=True)
    pq.write_table(split_table(rows), folder / INTERACTIONS)
    for fold, window in windows.items():
        (folder / TARGET_WINDOW.format(fold=fold)).write_text(json.dumps({"window": window}))


def test_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_split(tmp_path, ROWS, test=2, validation=1)
    history, target = load_fold("test")
    assert (history.n_windows, relevant(target)) == (2, [(2, 4, 3), (5, 9, LIKED)])
    history, target = load_fold("validation")
    assert (history.n_windows, relevant(target)) == (1, [(2, 9, 2)])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [(0, 1, 0, LIKED), (0, 2, 1, SEEN), (1, 1, 1, SEEN)],
            "fold test: no user left to evaluate; window 1, its target, has 2 users but no "
            "positive pair that is new; check data.positive and the last windows of the data",
        ),
        (
            [(0, 1, 0, SEEN), (0, 1, 1, LIKED)],
            "fold test: no user left to evaluate; window 1, its target, has 1 users but no "
            "positive pair that is new; check data.positive and the last windows of the data",
        ),
        (
            [(0, 1, 0, SEEN), (0, 2, 1, LIKED)],
            "fold test: its history, windows 0 to 0, has no positive interaction",
        ),
    ],
    ids=["nothing-liked", "nothing-new", "empty-history"],
)
def test_a_fold_with_nothing_to_judge_or_learn(
    rows: list[tuple], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_split(tmp_path, rows, test=1)
    with pytest.raises(InputError) as error:
        load_fold("test")
    assert str(error.value) == expected


def test_a_label_fold_may_have_an_empty_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_split(tmp_path, [(0, 1, 0, LIKED), (0, 2, 1, SEEN), (0, 3, 3, LIKED)], label_1=1)
    _, target = load_fold("label_1")
    assert (target.users.tolist(), relevant(target)) == ([0], [])


def test_the_history_of_an_empty_first_window() -> None:
    """An empty history has no user and no item, and looks everything up as unknown."""
    table: pa.Table = split_table([(0, 1, 1, LIKED)])
    history = history_before(table, 1)
    assert (history.n_users, history.n_items) == (0, 0)
    assert history.user_of(np.array([0])).tolist() == [-1]


def test_a_history_may_have_items_that_none_of_its_rows_has() -> None:
    """As that of new users has, whose items are those of the models."""
    table = split_table(ROWS[:4])
    known = {name: table[name].to_numpy() for name in table.column_names}
    history = history_of(known, 4, np.array([1, 3, 5, 7, 9], np.int32))
    assert history.n_items == 5
    assert pairs_of(history) == pairs_of(history_of(known, 4))
    nobody = {name: values[:0] for name, values in known.items()}
    assert history_of(nobody, 4, history.items).exposures.shape == (0, 5)


def test_users_without_history_among_those_with_one() -> None:
    rows = [(2, 0, 0, LIKED), (2, 1, 0, SEEN), (5, 1, 0, LIKED)]
    history = history_before(split_table(rows), 1)
    more = history.with_users(np.array([7, 1, 5]))
    assert more.users.tolist() == [1, 2, 5, 7]
    assert more.positives.toarray().tolist() == [[0, 0], [1, 0], [0, 1], [0, 0]]
    assert more.user.tolist() == [1, 1, 2]
    assert more.n_positives_of(np.array([1, 2, 3, 7])).tolist() == [0, 1, 0, 0]
    assert pairs_of(more) == pairs_of(history) == pairs_of(history.with_users(np.array([5])))


@pytest.mark.parametrize(("group", "expected"), [("warm", [0, 4]), ("cold", [1, 3])])
def test_training_users_have_a_relevant_item(group: str, expected: list[int]) -> None:
    """Users 0 and 4 liked something before, 1 only watched, 3 is new; 2 likes nothing now."""
    past = [(0, 0, 0, LIKED), (1, 0, 0, SEEN), (2, 0, 0, LIKED), (4, 0, 0, LIKED)]
    now = [(user, 1, 1, SEEN if user == 2 else LIKED) for user in range(5)]
    history, target = fold_of(split_table(past + now), 1)
    assert training_users(history, target, group, 0, seed=0).tolist() == expected
    (drawn,) = training_users(history, target, group, 1, seed=0).tolist()
    assert drawn in expected


def test_drawn_users_are_distinct_and_ascending() -> None:
    drawn = draw_users(np.arange(0, 100, 2), 40, seed=0)
    assert len(drawn) == len(set(drawn.tolist())) == 40
    assert (np.diff(drawn) > 0).all()
    assert (drawn % 2 == 0).all()
