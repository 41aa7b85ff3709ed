"""What every list of a fold is worth, from which any two revisions are compared list by list.

FOLD.parquet, a row per list: user_id as in the source, ascending; is_cold bool; n_relevant int32;
ap_MODEL, ndcg_MODEL float64 for every model: AP@k and NDCG@k
"""

import numpy as np
import pyarrow as pa

from evaluation import metrics
from evaluation.judge import Judged


def table_of(judged: Judged, user_ids: pa.ChunkedArray) -> pa.Table:
    """The rows of one fold; user_ids: of users.parquet."""
    columns = {
        "user_id": user_ids.take(judged.user),
        "is_cold": judged.is_cold,
        "n_relevant": judged.n_relevant.astype(np.int32),
    }
    ap = {f"ap_{model}": judged.ap(model) for model in judged.hits}
    ndcg = {
        f"ndcg_{model}": metrics.ndcg(hits, judged.n_relevant)
        for model, hits in judged.hits.items()
    }
    return pa.table(columns | ap | ndcg)
