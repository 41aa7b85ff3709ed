"""Reads and writes rankers as LightGBM text, one file per judged fold and seed."""

import re
from pathlib import Path

import numpy as np

from rankers.lean_lightgbm import lightgbm as lgb

FOLDER = Path("data/ranker")
PLACE = {"warm": "", "cold": "cold"}  # subfolder of the models for a group of users


def save(folder: Path, fold: str, group: str, models: list[lgb.Booster]) -> None:
    """Write FOLD/0.txt, FOLD/1.txt, … into the folder; for cold users FOLD/cold/0.txt, …"""
    folder = folder / fold / PLACE[group]
    folder.mkdir(parents=True, exist_ok=True)
    for number, model in enumerate(models):
        # LightGBM stores the number of threads, although it does not change the trees
        text = re.sub(r"\[num_threads: \d+\]", "[num_threads: 0]", model.model_to_string())
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")


def load(fold: str, group: str, folder: Path | None = None) -> list[lgb.Booster]:
    """Return the models of a judged fold in order of seeds; there may be none for cold users."""
    folder = (folder or FOLDER) / fold / PLACE[group]
    paths = sorted(folder.glob("*.txt"), key=lambda path: int(path.stem))
    return [lgb.Booster(model_str=path.read_text(encoding="utf-8")) for path in paths]


def predict(models: list[lgb.Booster], values: np.ndarray, n_threads: int) -> np.ndarray:
    """Return the raw score by each model, higher is better, float64 (n_models, n_rows)."""
    values = np.ascontiguousarray(values)  # LightGBM reads it row by row
    settings = {"raw_score": True, "num_threads": n_threads}
    return np.stack([model.predict(values, **settings) for model in models])
