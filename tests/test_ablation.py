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
    rank = {"als": [1, 0, 2, 0], "item_knn": [0, 1, 1, 0], "content": [0, 0, 0, 1]}
    rank = {name: np.array(of, np.int16) for name, of in rank.items()}
    lists = Candidates(np.array([3, 3, 3, 4]), np.array([7, 8, 9, 7]), rank, {})
    kept = only(lists, ("als", "content"))
    assert kept.item.tolist() == [7, 9, 7]
    assert kept.user.tolist() == [3, 3, 4]
    assert list(kept.rank) == ["als", "content"]
    assert kept.rank["als"].tolist() == [1, 2, 0]


def test_lists_without_a_relevant_item_do_not_teach() -> None:
    examples = examples_of([[0, 1], [0, 0, 0], [1, 0]])
    assert with_relevant(examples).user.tolist() == [0, 0, 2, 2]


def test_the_table(clone: Clone) -> None:
    table = pd.read_csv(clone.folder / "metrics/ablation.csv")
    by_part = table.drop_duplicates("part").set_index("part")["map"]
    metrics = json.loads((clone.folder / "metrics/validation.json").read_text())
    assert by_part["full"] == pytest.approx(metrics["warm"]["hybrid"]["map@10"], abs=1e-6)
    of = clone.yaml("params.yaml")
    sources, groups = of["candidates"]["sources"], of["features"]["groups"]
    n_variants = len(variants(sources, groups, params_of(**of["ranker"])))
    compared = table[table["difference"].notna()]
    assert len(compared) == n_variants - 1
    assert len(table) == n_variants + (table["part"] == "one seed").sum() == n_variants + 5
    assert compared["difference"].between(compared["ci95_low"], compared["ci95_high"]).all()
    difference = table[table["part"] == "notebook"]["difference"].iloc[0]
    assert difference == pytest.approx(by_part["notebook"] - by_part["full"], abs=2e-6)
