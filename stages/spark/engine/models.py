"""Which sources, baselines and models of `scores` there are on Spark."""

from harness.params import Strict
from harness.script import InputError, report

from families import FeaturesParams
from families.score_models import EaseModel, ItemKnnModel
from folds.similarity import ItemKnnParams
from retrieval import BaselinesParams
from retrieval.ease import EaseParams
from spark.engine.context import check_weighting

SOURCES = ("als", "item_knn", "ease", "recent_popular", "popular", "content")

Settings = dict[str, dict[int, Strict]]  # of each model, by number


def kept_sources(names: list[str], sources: Strict) -> list[str]:
    """Those of candidates.sources that Spark has; reports the others."""
    report_left_out("candidates.sources", [name for name in names if name not in SOURCES])
    if "item_knn" in names:
        check_weighting("params.yaml: sources.item_knn.weighting", sources.item_knn.weighting)
    for name in ("item_knn", "ease"):
        if name in names and (half_life := getattr(sources, name).half_life):
            raise InputError(
                f"params.yaml: sources.{name}.half_life is {half_life}: must be 0 on Spark"
            )
    return [name for name in names if name in SOURCES]


def kept_settings(baselines: BaselinesParams) -> Settings:
    """Those baselines and their settings that Spark has; reports the others."""
    all_settings = baselines.settings
    left_out = [name for name in all_settings if name not in SOURCES]
    kept = {name: of for name, of in all_settings.items() if name in SOURCES}
    for name, of in kept.items():
        fit = {number: one for number, one in of.items() if is_kept(one)}
        left_out += [reason_of(name, one) for one in of.values() if not is_kept(one)]
        kept[name] = fit
    report_left_out("baselines", list(dict.fromkeys(left_out)))
    if not any(kept.values()):
        raise InputError(f"params.yaml: baselines must name one of {', '.join(SOURCES[1:])}")
    return {name: of for name, of in kept.items() if of}


def is_kept(setting: Strict) -> bool:
    """Whether Spark has the setting of a baseline."""
    weighting = getattr(setting, "weighting", "count")
    return weighting in ("count", "cosine") and not getattr(setting, "half_life", 0)


def reason_of(name: str, setting: Strict) -> str:
    """Which baseline is left out: its name with the value that Spark does not have."""
    if setting.half_life:
        return f"{name} with half_life {setting.half_life}"
    return f"{name} {setting.weighting}"


def report_left_out(key: str, names: list[str]) -> None:
    if names:
        report(f"{key}: {', '.join(names)} left out, which the local pipeline alone has")


def knn_models(
    names: list[str], sources: Strict, features: FeaturesParams, baselines: Settings
) -> list[ItemKnnParams]:
    """All neighbourhoods that the fold needs: of the source, of baselines and of features."""
    found = [sources.item_knn] if "item_knn" in names else []
    found += baselines.get("item_knn", {}).values()
    return [*found, *(m for m in features.scores.values() if isinstance(m, ItemKnnModel))]


def ease_models(
    names: list[str], sources: Strict, features: FeaturesParams, baselines: Settings
) -> list[EaseParams | EaseModel]:
    """All fits of EASE that the fold needs: of the source, of baselines and of features."""
    found = [sources.ease] if "ease" in names else []
    found += baselines.get("ease", {}).values()
    return [*found, *(m for m in features.scores.values() if isinstance(m, EaseModel))]
