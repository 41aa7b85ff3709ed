"""candidates.alive_windows and judged_users: which items any model recommends, and to whom."""

from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

from core import candidate_lists, folds, tables
from core.history import INTERACTIONS
from core.metrics import average_precision

import numpy as np
import pandas as pd
import pytest

import movielens_like
from clone import SMALL
from evaluation.judged import als_top
from histories import LIKED, SEEN, fold_of_files, history_of
from logs import run_mains, write_params


def test_an_item_is_alive_if_shown_in_the_last_windows() -> None:
    """Liked or not, by anyone. The history has the windows 0 to 3. A new item is alive, too."""
    rows = [(0, 5, 0, LIKED), (0, 6, 1, LIKED), (1, 7, 2, SEEN), (0, 8, 3, LIKED)]
    history = history_of(rows, 4)
    assert history.alive(0) is None
    assert history.alive(1).tolist() == [False, False, False, True]
    assert history.alive(2).tolist() == [False, False, True, True]
    assert history.alive(100).all()
    assert history.with_items(np.array([2])).alive(1).tolist() == [True, False, False, False, True]


# --- the stages


STAGES = ("ingest", "split", "als", "candidates", "baselines", "als_alone")


def write_log(folder: Path) -> None:
    """A third of the items is not shown between the middle of the time and the last window."""
    movielens_like.write(folder)
    path = folder / "ml-1m.inter"
    log = pd.read_csv(path, sep="\t", quoting=3, dtype=str)
    item, time = log["item_id:token"], log["timestamp:float"].astype(int)
    items = sorted(item.unique())
    is_pause = (time > time.quantile(0.3)) & (time < time.quantile(0.86))
    log[~(item.isin(items[::3]) & is_pause)].to_csv(path, sep="\t", index=False, quoting=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """The folder of a run with so many alive_windows and judged_users, and more stages."""
    first = tmp_path_factory.mktemp("all")
    write_log(first / "raw")
    runs: dict[tuple[int, int], Path] = {}

    def folder_of(windows: int, users: int = 0, *more: str) -> Path:
        if (windows, users) not in runs:
            folder = runs[windows, users] = tmp_path_factory.mktemp("alive")
            values = {**SMALL, "data.path": str(first / "raw"), "baselines.item_knn.neighbours": 20}
            values |= {"candidates.alive_windows": windows, "candidates.judged_users": users}
            write_params(folder, values)
            run_mains(folder, *STAGES, *more)
        return runs[windows, users]

    return folder_of


def dead_items(fold: str) -> np.ndarray:
    """Items without a first exposure in the last window of the fold's history."""
    log = pd.read_parquet(INTERACTIONS)
    shown = log[(log["window"] == folds.load().windows[fold] - 1) & ~log["is_repeat"]]
    return np.setdiff1d(log["item"], shown["item"])


def tables_of(fold: str) -> Iterator[pd.DataFrame]:
    """The candidates, and the lists of each baseline."""
    yield pd.read_parquet(f"data/candidates/{fold}.parquet")
    for _, lists in pd.read_parquet(f"data/baselines/{fold}.parquet").groupby("model"):
        yield lists


def test_no_stage_recommends_another_item(run: Callable[[int], Path]) -> None:
    with chdir(run(0)):
        candidates, *_ = tables_of("test")
        assert np.isin(candidates["item"], dead_items("test")).any()
    with chdir(run(1)):
        for fold in folds.load().names:
            dead = dead_items(fold)
            for lists in tables_of(fold) if fold != "label_1" else [next(tables_of(fold))]:
                assert len(lists)
                assert not np.isin(lists["item"], dead).any()


def test_als_alone_has_the_candidates_of_als_and_relevant_items_stay(
    run: Callable[[int], Path],
) -> None:
    found = [pd.read_parquet(run(n) / "data/als_alone/validation.parquet") for n in (0, 1)]
    columns = ["user_id", "is_cold", "n_relevant"]
    assert found[0][columns].equals(found[1][columns])
    assert not found[0]["ap_als"].equals(found[1]["ap_als"])
    with chdir(run(1)):
        _, target = fold_of_files("validation")
        lists = candidate_lists.concatenate(list(candidate_lists.read("validation")))
    users, n_relevant = np.unique(target.user, return_counts=True)
    hits = als_top(lists, 10).hits(target, users, 10)
    assert found[1]["ap_als"].tolist() == average_precision(hits, n_relevant).tolist()


def test_the_users_drawn_have_the_lists_that_they_would_have_among_all(
    run: Callable[[int, int], Path],
) -> None:
    """This holds in all stages. Other users have no list. Models do not depend on the sample."""
    drawn = run(0, 20, "features", "ranker", "recommend", "evaluate", "report")
    with chdir(drawn):
        _, target = fold_of_files("validation")
        user_ids = pd.read_parquet(tables.USERS)["user_id"]
        of_users, of_lists = (set(user_ids[of]) for of in (target.users, target.user))
        recommended = pd.read_parquet("data/recommendations/validation.parquet")["user_id"]
        assert set(recommended) == of_users
        assert set(pd.read_parquet("data/per_user/validation.parquet")["user_id"]) == of_lists
        windows = pd.read_csv("metrics/windows.csv").set_index("fold")
        assert windows.loc["validation", "n_lists"] == len(of_lists)
    assert len(of_users) == 20
    with chdir(run(0)):
        for name in ("candidates", "baselines", "als_alone"):
            key, kept = ("user_id", of_lists) if name == "als_alone" else ("user", target.users)
            path = f"data/{name}/validation.parquet"
            of_all, found = pd.read_parquet(path), pd.read_parquet(drawn / path)
            expected = of_all[of_all[key].isin(kept)].reset_index(drop=True)
            assert len(found) < len(of_all)
            pd.testing.assert_frame_equal(found, expected)
        label = "data/candidates/label_1.parquet"
        assert Path(label).read_bytes() == (drawn / label).read_bytes()
