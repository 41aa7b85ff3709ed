"""Names of the files in VK-LSVD's public layout, for the fetcher and the reader.

interactions/ or subsamples/NAME/     train/, validation/ and test/ with week_NN.parquet:
                                      user_id, item_id, feedback columns; rows in time order
metadata/users_metadata.parquet       user_id, age, gender, geo
metadata/items_metadata.parquet       item_id, author_id, duration
metadata/item_embeddings.npz          item_id (n,), embedding (n, width), in an order of its own
"""

import re

USERS = "metadata/users_metadata.parquet"
ITEMS = "metadata/items_metadata.parquet"
EMBEDDINGS = "metadata/item_embeddings.npz"
METADATA = (USERS, ITEMS, EMBEDDINGS)
PARTS = ("train", "validation", "test")  # in the order of time
SUBSAMPLES = "subsamples"
ANY_WEEK = "week_*.parquet"


def weeks_folder(subsample: str) -> str:
    """Where the folders of PARTS stand; "" is the whole data set."""
    return f"{SUBSAMPLES}/{subsample}" if subsample else "interactions"


def week_number(name: str) -> int | None:
    """The number in the name of a week's file; None where it is no such name."""
    match = re.fullmatch(r"week_([0-9]+)\.parquet", name)
    return None if match is None else int(match.group(1))
