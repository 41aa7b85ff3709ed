"""Computes the training examples of every fold: features and labels of candidate lists.

usage: python stages/features.py [FOLD]      without FOLD, all folds of params.yaml
in:    data/tables, data/split, data/candidates/FOLD.parquet
out:   data/features/FOLD.parquet, rows in the order of the candidates:
         user, item int32: rows in users.parquet and items.parquet
         label uint8: strength of the feedback in the target window, or 0
         n_relevant int32: number of all relevant items of the user
         one float32 column per feature; the metadata of the file lists the categories
       data/features/features.json: the section `features` of params.yaml without `scores`

Only lists of warm users with a relevant item can train a ranker. Each file has at most
candidates.label_users of them, sampled by seed. The fold `test` has no file, because it trains no
ranker. `recommend` computes the features of all other lists with the same families, in blocks.
"""

from core.candidate_lists import CandidateListParams
from core.examples import FOLDER
from core.folds import outputs_of_folds
from core.params import section, shared_params
from core.script import run_script

from tqdm import tqdm

from families import FeaturesParams, save_params
from families.labelled import write_fold


def main(arguments: list[str]) -> None:
    shared = shared_params()
    params = section("features", FeaturesParams)
    candidates = section("candidates", CandidateListParams)
    with outputs_of_folds(FOLDER, arguments) as (folds, folder):
        for fold in tqdm(folds, "folds", disable=None):
            if fold != "test":  # no ranker is trained on it
                write_fold(folder, fold, params, candidates, shared)
        save_params(folder, params)


if __name__ == "__main__":
    run_script(main)
