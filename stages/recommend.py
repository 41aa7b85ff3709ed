"""Ranks the candidates of the judged folds and writes every user's top k.

usage: python stages/recommend.py
in:    data/tables, data/split, data/ranker/features.json; for each judged FOLD:
       data/candidates/FOLD.parquet, data/ranker/FOLD/SEED.txt
out:   data/recommendations/FOLD.parquet for each judged FOLD, by user, best first: user_id, item_id
         as in the source; rank int16, 1 is best; score float32
       data/recommendations/halves/FOLD.parquet, the top k by each half of the ranker's models, for
         the variance over seeds: model string (hybrid), number int16 (number of the half), user,
         item int32 (rows in users.parquet and items.parquet), rank int16, score float32; no rows if
         there is one model

All users with an interaction in the target window, or candidates.judged_users of them, get a list.
The lists of cold users are recent popular items, ranked by the family group_popularity. Ties in
score keep the order of the candidates.
"""

from pathlib import Path

from core import candidate_lists, folds, tables, top_lists
from core.candidate_lists import ROWS_AT_ONCE, CandidateListParams, Candidates
from core.history import load_fold
from core.lists import side_by_side
from core.params import SharedParams, section, shared_params
from core.script import run_script, whole_folder
from core.top_lists import MODEL_LISTS, EvaluateParams, TopLists, check_length, concatenate, top_k

import pyarrow.parquet as pq
from tqdm import tqdm

from families import load_params
from families.context import load_context, serving
from rankers import trained as models
from rankers.scoring import ensembles, scorer_of, scores


def recommend(
    fold: str, candidates: CandidateListParams, k: int, shared: SharedParams
) -> list[TopLists]:
    """Return the top k of every served user: by the mean score of all models, and of each half."""
    history, target = load_fold(fold, candidates, shared.seed)
    params = load_params(models.FOLDER)
    context = serving(load_context(history, params), target.users, pq.read_table(tables.USERS))
    scorer = scorer_of(models.load(fold), context, params.groups)

    def top_of(lists: Candidates) -> list[TopLists]:
        score = scores(lists, scorer, n_threads=1)
        return [top_k(lists.user, lists.item, one, k) for one in ensembles(score)]

    lists = tqdm(candidate_lists.read(fold, ROWS_AT_ONCE), fold, disable=None)
    blocks = side_by_side(top_of, lists, shared.n_threads)
    return [concatenate(list(parts)) for parts in zip(*blocks, strict=True)]


def main() -> None:
    shared = shared_params()
    k = section("evaluate", EvaluateParams).k
    candidates = section("candidates", CandidateListParams)
    check_length(k, candidates.per_source)
    with whole_folder(Path(tables.RECOMMENDATIONS).parent) as folder:
        (folder / "halves").mkdir()
        for fold in folds.load().judged:
            top, *halves = recommend(fold, candidates, k, shared)
            top_lists.write(folder / f"{fold}.parquet", [top])
            with pq.ParquetWriter(folder / f"halves/{fold}.parquet", MODEL_LISTS) as file:
                for number, lists in enumerate(halves):
                    top_lists.append(file, "hybrid", number, lists)


if __name__ == "__main__":
    run_script(main)
