"""Finds the best setting of each baseline."""

import json

from core.params import Strict

import pandas as pd

Settings = dict[str, dict[int, Strict]]  # baseline -> number of the setting -> parameters


def settings_table(
    settings: Settings, total: dict[tuple[str, int], float], n_lists: int
) -> pd.DataFrame:
    """Return the columns of data/baselines/settings.csv, a row per baseline and setting.

    total  sum of AP@k over n_lists lists, by baseline and number of the setting
    """
    best = {name: max(of, key=lambda number: total[name, number]) for name, of in settings.items()}
    rows = [
        {
            "model": name,
            "number": number,
            "map": total[name, number] / n_lists,
            "is_best": number == best[name],
            "parameters": json.dumps(setting.model_dump()),
        }
        for name, of in settings.items()
        for number, setting in of.items()
    ]
    return pd.DataFrame(rows)
