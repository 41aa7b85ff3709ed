"""Fetchers of data sources: one module each, which gets what is absent.

A module has FOLDER_HINT, what to do where data.path is absent; `is_asked(data)`, whether the
parameters ask for it; and `fetch(data, temporary)`, with a folder that is gone afterwards.
"""

from types import ModuleType

from fetchers import hub, movielens

FETCHERS: dict[str, ModuleType] = {  # of some of the sources in readers.READERS
    "movielens-1m": movielens,
    "movielens-100k": movielens,
    "vk-lsvd": hub,
}
