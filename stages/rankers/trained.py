"""Reads and writes rankers as LightGBM text, one file per judged fold and seed."""

import re
import sys
from pathlib import Path

import numpy as np

# LightGBM takes five times as long to import with scikit-learn, for an interface that we do not use
hidden = {} if "sklearn" in sys.modules else {"sklearn": None}  # None: importing it fails
sys.modules.update(hidden)
import lightgbm as lgb  # noqa: E402

for name in hidden:
    del sys.modules[name]

FOLDER = Path("data/ranker")


def save(folder: Path, fold: str, models: list[lgb.Booster]) -> None:
    """Write FOLD/0.txt, FOLD/1.txt, … into the folder."""
    folder = folder / fold
    folder.mkdir(parents=True, exist_ok=True)
    for number, model in enumerate(models):
        # LightGBM stores the number of threads, although it does not change the trees
        text = re.sub(r"\[num_threads: \d+\]", "[num_threads: 0]", model.model_to_string())
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")


def load(fold: str, folder: Path | None = None) -> list[lgb.Booster]:
    """Return the models of a judged fold in order of seeds."""
    paths = ((folder or FOLDER) / fold).glob("*.txt")
    paths = sorted(paths, key=lambda path: int(path.stem))
    return [lgb.Booster(model_str=path.read_text(encoding="utf-8")) for path in paths]


def predict(models: list[lgb.Booster], values: np.ndarray, n_threads: int) -> np.ndarray:
    """Return the raw score by each model, higher is better, float64 (n_models, n_rows)."""
    values = np.ascontiguousarray(values)  # LightGBM reads it row by row
    settings = {"raw_score": True, "num_threads": n_threads}
    return np.stack([model.predict(values, **settings) for model in models])
