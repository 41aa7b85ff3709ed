"""Judged lists, their pooling, and the tables made of them, by hand arithmetic."""

import json
from dataclasses import replace

from core import candidate_lists
from core.candidate_lists import Candidates
from core.folds import Folds
from core.history import Target
from core.top_lists import EvaluateParams, TopLists

import numpy as np
import pyarrow as pa
import pytest

from evaluation import results
from evaluation.judged import Judged, als_lists_and_counts, judge, percentiles, pool
from histories import LIKED, SEEN, fold_of

K = 2
PARAMS = EvaluateParams(k=K, n_resamples=200)
ROWS = [  # user, item, window, strength: item 1 is the popular one
    (0, 1, 0, LIKED),
    (1, 1, 0, LIKED),
    (2, 2, 0, SEEN),
    (0, 3, 1, LIKED),
    (1, 2, 1, LIKED),
    (1, 9, 1, LIKED),
    (2, 1, 1, LIKED),
    (3, 1, 1, SEEN),
]
# Relevant in window 1: 3, which the history does not know, for user 0; 2, and 9, which it does not
# know, for user 1; 1 for user 2, who is cold.


def lists_of(*of_user: tuple[int, list[int]]) -> TopLists:
    user = [one for one, items in of_user for _ in items]
    rank = [place for _, items in of_user for place in range(1, len(items) + 1)]
    item = [thing for _, items in of_user for thing in items]
    columns = (np.array(of, dtype=np.int32) for of in (user, item, rank))
    return TopLists(*columns, np.zeros(len(user), dtype=np.float32))


MODELS = {
    "als": lists_of((0, [2, 1]), (1, [1, 2]), (2, [1, 3])),
    "hybrid": lists_of((0, [2]), (1, [2, 1]), (2, [1, 3]), (3, [2])),
    "popular": lists_of((0, [1]), (1, [1])),
}


def judged_fold() -> Judged:
    history, target = fold_of(ROWS, 1)
    counts = np.array([[2, 2, 4], [0, 1, 1], [0, 0, 1]])
    halves = [MODELS["hybrid"], MODELS["als"]]
    return judge(history, target, MODELS, halves, counts, K)


def test_what_is_known_of_each_list() -> None:
    judged = judged_fold()
    assert judged.user.tolist() == [0, 1, 2]  # user 3 has no relevant item
    assert judged.n_relevant.tolist() == [1, 2, 1]
    assert judged.n_known.tolist() == [0, 1, 1]
    assert judged.is_cold.tolist() == [False, False, True]
    assert judged.n_popular.tolist() == [0, 0, 1]
    assert judged.ap("hybrid").tolist() == [0, (1 / 1) / min(K, 2), 1 / 1]
    assert judged.ap("als").tolist() == [0, (1 / 2) / min(K, 2), 1 / 1]
    # coverage is over all users served; the history knows items 1 and 2, and a list may hold any
    assert judged.coverage["all"]["hybrid"] == 3 / 2
    assert judged.coverage["warm"]["hybrid"] == 2 / 2
    assert judged.coverage["all"]["popular"] == 1 / 2


def test_pooling_is_one_fold_after_the_other() -> None:
    judged = judged_fold()
    share = dict.fromkeys(MODELS, 1.0)
    groups = judged.warm_and_cold()
    assert {name: of.user.tolist() for name, of in groups.items()} == {"warm": [0, 1], "cold": [2]}
    assert list(groups["warm"].warm_and_cold()) == ["warm"]
    warm = replace(groups["warm"], coverage=dict.fromkeys(judged.coverage, share))
    both = pool([judged, warm])
    assert both.user.tolist() == [0, 1, 2, 0, 1]
    assert both.ap("als").tolist() == [*judged.ap("als"), *warm.ap("als")]
    assert both.coverage["all"]["hybrid"] == (3 / 2 + 1) / 2
    assert both.n_items == judged.n_items == 2


def test_summary() -> None:
    tree = results.summary(pool([judged_fold(), judged_fold()]), PARAMS, seed=1, n_threads=2)
    assert (tree["n_lists"], tree["n_users"], tree["n_cold_users"]) == (6, 3, 2)
    assert tree["hybrid"]["map@2"] == pytest.approx((0 + 1 / 2 + 1) / 3)
    assert tree["als"]["map@2"] == pytest.approx((0 + 1 / 4 + 1) / 3)
    assert tree["warm"]["hybrid"]["map@2"] == pytest.approx((0 + 1 / 2) / 2)
    assert tree["warm"]["n_lists"] == 4
    assert tree["cold"]["uplift"]["map@2"] == 0
    assert tree["uplift"]["map@2"] == pytest.approx((1 / 2 - 1 / 4) / 3)
    assert tree["uplift"]["relative"] == pytest.approx((1 / 4) / (5 / 4))
    assert tree["uplift_over_best_baseline"]["name"] == "popular"
    assert tree["candidates"] == {
        "size": (2 + 2 + 4) / 3,
        "reachable": pytest.approx((0 / 1 + 1 / 2 + 1 / 1) / 3),
        "recall": pytest.approx((0 / 1 + 1 / 2 + 1 / 1) / 3),
        "als_recall@100": pytest.approx(1 / 3),
        "oracle_map@2": pytest.approx((0 + 1 / 2 + 1) / 3),
    }
    of_half = [(0 + 1 / 2 + 1) / 3, (0 + 1 / 4 + 1) / 3]
    deviation = (of_half[0] - of_half[1]) / 2
    assert tree["hybrid"]["seed_sd"] == pytest.approx(deviation)  # both folds are of one window
    other = replace(judged_fold(), window=np.full(3, 9))
    tree = results.summary(pool([judged_fold(), other]), PARAMS, seed=1, n_threads=2)
    assert tree["hybrid"]["seed_sd"] == pytest.approx(np.hypot(deviation, deviation) / 2)


def test_slices_of_users_and_of_items() -> None:
    frame = results.slices(judged_fold()).set_index("slice")
    names = ["cold users", "1-9 positives", "popular items", "long-tail items"]
    assert frame["n_lists"].to_dict() == dict(zip(names, [1, 2, 1, 2], strict=True))
    assert frame.loc["1-9 positives", "hybrid"] == (0 + 1 / 2) / 2
    assert frame.loc["popular items", "als"] == 1  # user 2's one relevant item, at rank 1
    assert frame.loc["long-tail items", "als"] == (0 + (1 / 2) / 2) / 2


def test_popularity_and_diversity_of_als_and_the_hybrid() -> None:
    """Item 1 has two positives, item 2 none; 3 and 9 are new. The list of user 3 does not count,
    and a list of one item has no diversity.
    """
    history, target = fold_of(ROWS, 1)
    history = history.with_items(np.array([3, 9]))
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 0], [0, 1]], dtype=np.float32)  # of 1, 2, 3, 9
    judged = judge(history, target, MODELS, [], np.zeros((3, 3)), K, vectors)
    assert (judged.n_known.tolist(), judged.n_items) == ([0, 1, 1], 2)  # new items do not count
    assert judged.coverage["all"]["popular"] == 1 / 4
    tree = results.summary(judged, PARAMS, seed=1, n_threads=1)
    of_hybrid = (1 / 2 + (1 / 2 + 1) / 2 + (1 + 0) / 2) / 3
    assert tree["hybrid"]["popularity@2"] == pytest.approx(of_hybrid)
    assert tree["hybrid"]["diversity@2"] == pytest.approx(1 - 0.6)  # of user 1 alone
    assert tree["als"]["popularity@2"] == pytest.approx((3 / 4 + 3 / 4 + 1 / 2) / 3)
    table = results.per_user(judged, pa.chunked_array([["a", "b", "c", "d"]])).to_pandas()
    assert table["n_positives"].tolist() == [1, 1, 0]
    np.testing.assert_equal(table["popular_als"].tolist(), [np.nan, np.nan, 1])  # item 1
    np.testing.assert_equal(table["tail_hybrid"].tolist(), [0, 1 / 2, np.nan])
    cold = json.loads(results.to_json(tree))["cold"]["als"]
    assert (cold["popularity@2"], cold["diversity@2"]) == (pytest.approx((1 + 0) / 2), None)


def test_slices_by_the_age_of_the_item() -> None:
    """Ranks are those in the full list; relevant are the items of the age alone."""
    als = lists_of((0, [1, 3]), (1, [2, 9]), (2, [3, 1]))
    lists = results.by_item_age(*fold_of([*ROWS, (0, 8, 1, LIKED)], 1), {"als": als}, K)
    found = {age: of["map_als"].tolist() for age, of in lists.groupby("age")}
    assert found["new"] == [(1 / 2) / min(K, 2), (1 / 2) / min(K, 1)]  # users 0 and 1
    assert found["1 to 5 interactions"] == [1 / 1, 1 / 2]  # users 1 and 2
    table = results.item_age_table({"test": lists, "test_2": lists}).set_index(["fold", "age"])
    for fold, n in (("all", 2), ("test_2", 1)):
        new = table.loc[(fold, "new")]
        assert (new["n_lists"], new["n_relevant"], new["share"]) == (2 * n, 3 * n, 3 / 5)
        assert (new["map_als"], new["recall_als"]) == ((1 / 4 + 1 / 2) / 2, (1 / 2 + 1 / 1) / 2)
        assert np.isnan(table.loc[(fold, "6 or more interactions"), "map_als"])


def test_an_item_that_the_history_does_not_know_is_not_popular() -> None:
    rows = [(0, 1, 0, SEEN), (0, 2, 0, LIKED), (0, 9, 1, LIKED)]  # 2, the last one, is popular
    history, target = fold_of(rows, 1)
    models = {name: lists_of((0, [9])) for name in MODELS}
    judged = judge(history, target, models, [], np.zeros((3, 1)), K)
    assert (judged.n_relevant.tolist(), judged.n_popular.tolist()) == ([1], [0])
    assert not judged.popular_hits["als"].any()


def test_a_window_without_cold_users_has_no_figure_for_them() -> None:
    warm = judged_fold().warm_and_cold()["warm"]
    (row,) = results.windows_table({"test": warm}, Folds({"test": 1}), PARAMS, 1).itertuples()
    assert (row.window, row.n_lists, row.warm_n_lists, row.cold_n_lists) == (1, 2, 2, 0)
    assert np.isnan([row.cold_als, row.cold_gain, row.cold_gain_low]).all()
    assert row.warm_gain == row.gain == (1 / 2 - 1 / 4) / 2


def test_als_alone_and_what_the_candidates_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """User 1 is warm: only kNN retrieved item 5, and items 6 and 9 are the 100th and 101st of ALS.
    User 3 is cold, so the list is as served. User 2 is not judged. User 4 has no candidates.
    """
    user = np.array([1, 1, 1, 1, 2, 3, 3, 3], dtype=np.int32)
    item = np.array([5, 6, 9, 8, 5, 4, 9, 6], dtype=np.int32)
    als_rank = np.array([0, 100, 101, 1, 1, 0, 0, 0], dtype=np.int16)
    knn_rank = np.array([1, 0, 0, 0, 0, 0, 0, 0], dtype=np.int16)
    block = Candidates(user, item, {"als": als_rank, "knn": knn_rank}, {})
    blocks = [block.take(slice(0, 5)), block.take(slice(5, None))]
    monkeypatch.setattr(candidate_lists, "read", lambda fold: blocks)
    relevant = [(1, 5), (1, 6), (1, 9), (3, 9), (3, 7), (4, 5)]
    judged, wanted = np.array(relevant, dtype=np.int32).T
    target = Target(np.array([1, 2, 3, 4]), judged, wanted, np.ones(len(wanted), dtype=np.uint8))
    lists, counts = als_lists_and_counts("test", target, K)
    rows = zip(lists.user, lists.rank, lists.item, strict=True)
    assert [*rows] == [(1, 1, 8), (1, 2, 6), (2, 1, 5), (3, 1, 4), (3, 2, 9)]
    assert counts.tolist() == [[4, 3, 0], [3, 1, 0], [1, 1, 0]]


def test_percentiles_have_the_mean_rank_of_ties_and_0_for_a_new_item() -> None:
    found = percentiles(np.array([7, 2, 0, 2, 0]), np.array([True, True, False, True, True]))
    assert found.tolist() == [4 / 4, (2 + 3) / 2 / 4, 0, (2 + 3) / 2 / 4, 1 / 4]
