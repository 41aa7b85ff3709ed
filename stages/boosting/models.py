"""The rankers as files: LightGBM text, one per judged fold and seed."""

import re
from pathlib import Path

from harness.script import whole

import numpy as np

from boosting.lean_lightgbm import lightgbm as lgb

FOLDER = Path("data/ranker")
GAIN = FOLDER / "feature_gain.csv"
CURVE = FOLDER / "learning_curve.csv"


def save(fold: str, models: list[lgb.Booster]) -> None:
    """Writes FOLD_0.txt, FOLD_1.txt, …, each whole or not at all."""
    for number, model in enumerate(models):
        # LightGBM stores the number of threads, the one parameter that changes no tree
        text = re.sub(r"\[num_threads: \d+\]", "[num_threads: 0]", model.model_to_string())
        with whole(FOLDER / f"{fold}_{number}.txt") as path:
            path.write_text(text)


def load(fold: str) -> list[lgb.Booster]:
    """The models of a judged fold, in the order of their seeds."""
    paths = sorted(FOLDER.glob(f"{fold}_*.txt"), key=lambda path: int(path.stem.split("_")[-1]))
    return [lgb.Booster(model_str=path.read_text()) for path in paths]


def predict(models: list[lgb.Booster], values: np.ndarray, n_threads: int) -> np.ndarray:
    """The mean raw score of the models, higher is better: float64 (n_rows,)."""
    return np.mean(
        [model.predict(values, raw_score=True, num_threads=n_threads) for model in models], axis=0
    )
