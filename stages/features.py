"""Computes the training examples of every fold: the features and labels of candidate lists that
hold a relevant item.

usage: python stages/features.py [FOLD]      all folds of params.yaml without FOLD
in:    data/tables, data/split, data/candidates/FOLD.parquet
out:   data/features/FOLD.parquet of the lists of warm users, and data/features/FOLD_cold.parquet of
       those of cold users, rows in the order of the candidates:
         user, item int32: rows in users.parquet and items.parquet
         label uint8: 0, or the strength of the feedback in the target window
         n_relevant int32: relevant items of the user, in the list or not
         one float32 column per feature; the metadata of the file name those that are categories
       data/features/features.json: the section `features` of params.yaml, but for `scores`

Lists without a relevant item are left out, since no ranker can learn an order from them. Of each
file at most candidates.label_users lists are kept, drawn by seed. The fold `test` has no files:
nothing is trained on it. `recommend` computes the features of the lists to be ranked, with the same
families, block by block.
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
            if fold != "test":  # nothing is trained on it
                write_fold(folder, fold, params, candidates, shared)
        save_params(folder, params)


if __name__ == "__main__":
    run_script(main)
