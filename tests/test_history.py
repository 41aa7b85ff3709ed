"""History and target of a fold: what each holds, and that the history knows nothing later."""

from itertools import product
from operator import eq, itemgetter, lt
from pathlib import Path

from core.history import History, Target, draw_users, load_fold, training_users
from core.script import InputError

import numpy as np
import pytest

from histories import CANDIDATES, LIKED, SEEN, Row, fold_of, random_rows, write_split

ROWS = [  # in time order
    (5, 7, 0, LIKED),
    (2, 7, 0, SEEN),
    (5, 3, 1, SEEN),
    (2, 9, 1, 2),
    (5, 9, 2, LIKED),
    (8, 3, 2, SEEN),
    (2, 4, 2, 3),
]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def pairs_of(history: History) -> list[tuple[int, int]]:
    users, items = history.users[history.user], history.items[history.item]
    return list(zip(users.tolist(), items.tolist(), strict=True))


def relevant(target: Target) -> list[tuple[int, int, int]]:
    columns = (target.user, target.item, target.strength)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_history_and_target_by_hand() -> None:
    history, target = fold_of(ROWS, 2)
    assert history.n_windows == 2
    assert pairs_of(history) == [(2, 7), (2, 9), (5, 7), (5, 3)]
    assert history.window.tolist() == [0, 1, 0, 1]
    assert history.is_positive.tolist() == [False, True, True, False]
    assert (history.users.tolist(), history.items.tolist()) == ([2, 5], [3, 7, 9])
    assert (history.users.dtype, history.items.dtype) == (np.int32, np.int32)
    assert history.user_of(np.array([8, 5, 0, 100, 2])).tolist() == [-1, 1, -1, -1, 0]
    assert history.item_of(np.array([4, 9, 3, 100])).tolist() == [-1, 2, 0, -1]
    assert history.item_of(np.zeros(0, dtype=np.int32)).tolist() == []
    assert history.exposures.indices.tolist() == [1, 2, 1, 0]  # items 7 9 7 3, in time order
    np.testing.assert_array_equal(history.exposures.toarray(), [[0, 1, 1], [1, 1, 0]])
    np.testing.assert_array_equal(history.positives.toarray(), [[0, 0, 1], [0, 1, 0]])
    assert history.n_positives.tolist() == [1, 1]
    assert relevant(target) == [(2, 4, 3), (5, 9, LIKED)]
    assert target.users.tolist() == [2, 5, 8]  # 8 liked nothing


@pytest.mark.parametrize(
    ("pairs", "asked", "expected"),
    [
        ([(2, 4, 3), (5, 9, 1)], [(5, 9), (2, 4), (2, 9), (8, 3), (2, 10**5)], [1, 3, 0, 0, 0]),
        ([(7, 65_535, 1), (65_537, 5, 2)], [(7, 65_535), (1, 5), (65_537, 5)], [1, 0, 2]),
        ([(1, 5, 1)], [(0, 65_541), (1, 5)], [0, 1]),  # 16 bits for the item are too few
        ([], [(3, 4)], [0]),
        ([(1, 4, 1)], [], []),
    ],
)
def test_strength_of_pairs(pairs: list, asked: list, expected: list[int]) -> None:
    user, item, strength = np.array(pairs, np.int32).reshape(-1, 3).T
    target = Target(np.unique(user), user, item, strength.astype(np.uint8))
    found = target.strength_of(*np.array(asked, np.int32).reshape(-1, 2).T)
    assert (found.tolist(), found.dtype) == (expected, np.uint8)


@pytest.mark.parametrize("seed", range(40))
def test_history_and_target_are_what_a_plain_reading_says(seed: int) -> None:
    """They share no pair. A pair has its first window, and its first strength in the target."""
    rows = random_rows(seed, range(4))
    for window in (1, 2, 3):
        history, target = fold_of(rows, window)
        past, now = ([row for row in rows if of(row[2], window)] for of in (lt, eq))
        exposed = {(u, i): w for u, i, w, _ in reversed(past)}
        wanted = {(u, i): s for u, i, _, s in reversed(now) if s and (u, i) not in exposed}
        pairs = pairs_of(history)
        assert len(pairs) == len(exposed)
        assert dict(zip(pairs, history.window.tolist(), strict=True)) == exposed
        liked = {pair for pair, p in zip(pairs, history.is_positive, strict=True) if p}
        assert liked == {(u, i) for u, i, _, s in past if s}
        assert sorted(relevant(target)) == sorted((*pair, s) for pair, s in wanted.items())
        assert target.users.tolist() == sorted({u for u, *_ in now})


NOBODY = (
    "fold test: no user left to evaluate; its target window 1 has {} users, but no positive pair"
    " that is new; check data.positive and the last windows of the data"
)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0, 1, 0, LIKED), (0, 2, 1, SEEN), (1, 1, 1, SEEN)], NOBODY.format(2)),
        ([(0, 1, 0, SEEN), (0, 1, 1, LIKED)], NOBODY.format(1)),
        (
            [(0, 1, 0, SEEN), (0, 2, 1, LIKED)],
            "windows 0 to 0, the history of window 1, have no positive interaction",
        ),
    ],
)
def test_a_fold_with_nothing_to_judge_or_learn(rows: list[Row], expected: str) -> None:
    write_split(rows, test=1)
    with pytest.raises(InputError) as error:
        load_fold("test", CANDIDATES, seed=0)
    assert str(error.value) == expected


def test_judged_users_are_drawn_and_keep_their_relevant_items() -> None:
    """Only judged folds have a sample, which depends on seed and window. Users with an even number
    have two relevant items, others none.
    """
    rows = [(user, 0, 0, LIKED) for user in range(40)]
    for user, w, i in product(range(40), (1, 2), (1, 2)):
        rows.append((user, 2 * w + i, w, LIKED * (user % 2 == 0)))
    write_split(sorted(rows, key=itemgetter(2)), validation=2, label_1=1)
    few = CANDIDATES.model_copy(update={"judged_users": 10})
    drawn = {}
    for fold, seed in (("validation", 0), ("validation", 1), ("label_1", 0)):
        (history, target), (_, of_all) = (load_fold(fold, of, seed) for of in (few, CANDIDATES))
        assert history.n_users == of_all.users.size == 40
        drawn[fold, seed] = target.users.tolist()
        assert relevant(target) == [one for one in relevant(of_all) if one[0] in drawn[fold, seed]]
    assert drawn["label_1", 0] == list(range(40))
    assert len(drawn["validation", 0]) == len(set(drawn["validation", 0])) == 10
    assert drawn["validation", 0] != drawn["validation", 1]
    rows = np.arange(40)
    assert drawn["validation", 0] == draw_users(rows, 10, (0, 2)).tolist()
    assert drawn["validation", 0] != draw_users(rows, 10, (0, 1)).tolist()


def test_training_users_are_warm_and_have_a_relevant_item() -> None:
    """Users 0 and 4 liked something before, 1 only watched, 3 is new; 2 likes nothing now."""
    past = [(0, 0, 0, LIKED), (1, 0, 0, SEEN), (2, 0, 0, LIKED), (4, 0, 0, LIKED)]
    now = [(user, 1, 1, SEEN if user == 2 else LIKED) for user in range(5)]
    history, target = fold_of(past + now, 1)
    assert training_users(history, target, 0, seed=0).tolist() == [0, 4]
    (drawn,) = training_users(history, target, 1, seed=0).tolist()
    assert drawn in (0, 4)
