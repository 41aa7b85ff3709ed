"""Variants of the system, and that the full one is the pipeline itself."""

import json

from core.candidate_lists import Candidates

import numpy as np
import pandas as pd
import pytest

from ablation import NOTEBOOK, only, variants, with_relevant
from clone import Clone
from families import FAMILIES
from test_ranker import examples_of, params_of

SOURCES = ["als", "item_knn", "content"]
GROUPS = ["als", "item", "popularity"]


def test_each_part_is_left_out_once_and_added_once() -> None:
    found = variants(SOURCES, GROUPS, params_of(objective="binary", list_weight=0.3))
    full, *others = found
    assert (full.part, full.sources, full.groups) == ("full", tuple(SOURCES), tuple(GROUPS))
    parts = {(one.part, one.name): one for one in found}
    assert len(parts) == len(found)
    assert parts["without source", "content"].sources == ("als", "item_knn")
    assert parts["without family", "als"].groups == ("item", "popularity")
    assert parts["with family", "embedding"].groups == (*GROUPS, "embedding")
    assert ("with family", "item") not in parts
    assert ("without source", "als") not in parts  # ALS is always there
    assert parts["notebook", ""].groups == NOTEBOOK
    assert parts["notebook", ""].sources == ("als",)
    assert parts["notebook with source", "content"].sources == ("als", "content")
    added = {one.name for one in others if one.part == "notebook with family"}
    assert added == set(FAMILIES) - set(NOTEBOOK)
    changed = {one.name: one.ranker for one in others if one.part == "ranker"}
    assert changed == {
        "objective lambdarank": {"objective": "lambdarank"},
        "objective rank_xendcg": {"objective": "rank_xendcg"},
        "list_weight 0.0": {"list_weight": 0.0},
    }


def test_only_keeps_what_these_sources_named() -> None:
    rank = {
        "als": np.array([1, 0, 2, 0], np.int16),
        "item_knn": np.array([0, 1, 1, 0], np.int16),
        "content": np.array([0, 0, 0, 1], np.int16),
    }
    score = {name: np.where(values > 0, 0.5, np.nan) for name, values in rank.items()}
    lists = Candidates(np.array([3, 3, 3, 4]), np.array([7, 8, 9, 7]), rank, score)
    kept = only(lists, ("als", "content"))
    assert kept.item.tolist() == [7, 9, 7]
    assert kept.user.tolist() == [3, 3, 4]
    assert list(kept.rank) == ["als", "content"]
    assert kept.rank["als"].tolist() == [1, 2, 0]


def test_lists_without_a_relevant_item_do_not_teach() -> None:
    examples = examples_of([[0, 1], [0, 0, 0], [1, 0]])
    assert with_relevant(examples).user.tolist() == [0, 0, 2, 2]


@pytest.fixture(scope="module")
def table(clone: Clone) -> pd.DataFrame:
    return pd.read_csv(clone.folder / "metrics/ablation.csv", keep_default_na=False)


def test_the_full_system_is_the_pipeline(clone: Clone, table: pd.DataFrame) -> None:
    """The same rows, models and lists: MAP of the warm users is that of the evaluation."""
    full = table[table["part"] == "full"].iloc[0]
    metrics = json.loads((clone.folder / "metrics/validation.json").read_text())
    assert float(full["map"]) == pytest.approx(metrics["warm"]["hybrid"]["map@10"], abs=1e-6)


def test_the_table_has_every_variant_and_its_interval(clone: Clone, table: pd.DataFrame) -> None:
    params = clone.yaml("params.yaml")
    expected = variants(
        params["candidates"]["sources"],
        params["features"]["groups"],
        params_of(**params["ranker"]),
    )
    compared = table[table["difference"] != ""]
    assert len(compared) == len(expected) - 1  # all but the full system
    assert (table["part"] == "one seed").sum() == 5
    assert len(table) == len(expected) + 5
    number = compared[["difference", "ci95_low", "ci95_high"]].astype(float)
    assert (number["ci95_low"] <= number["difference"]).all()
    assert (number["difference"] <= number["ci95_high"]).all()
    by_part = dict(zip(table["part"], table["map"].astype(float), strict=True))
    notebook = table[table["part"] == "notebook"].iloc[0]
    assert float(notebook["difference"]) == pytest.approx(
        by_part["notebook"] - by_part["full"], abs=2e-6
    )
