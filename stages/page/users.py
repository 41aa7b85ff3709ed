"""The section of the sample users."""

from collections.abc import Callable, Sequence

import numpy as np

from findings.samples import N_SAMPLES, Recommended, Sample
from page.document import paragraph
from page.markup import Html, join, plain, signed, tag

ORDINALS = ("first", "second", "third", "fourth", "fifth", "last")


def users(
    found: Sequence[Sample],
    gain: np.ndarray,
    title_of: Callable[[int], str],
    id_of: Callable[[int], str],
    k: int,
) -> Html:
    """Both lists of each user side by side; gain: of all lists they were taken from."""
    n_up, n_down = int((gain > 0).sum()), int((gain < 0).sum())
    return join(
        paragraph(
            f"Of the {len(gain):,} lists of warm users in the fold validation, the hybrid has a "
            f"higher AP@{k} than ALS in {n_up:,}, a lower one in {n_down:,}, and the same in the "
            "others. Nobody chose the six: the lists that differ were put in the order of the "
            f"gain, equal ones in an order drawn by the seed, and cut into {N_SAMPLES} equal "
            "parts; shown is the list in the middle of each."
        ),
        paragraph(
            "✓ on a shaded line: relevant in the window. At the right: where the hybrid has an "
            "item of ALS (→), where ALS had one of the hybrid (▲ it came up, ▼ down, = it stayed). "
            "Below an item that moved three places or more: the features that speak most for it in "
            "the hybrid's list, or against it in that of ALS, by what they add to its score "
            "against the mean of the items shown.",
            class_="note",
        ),
        *(_user(one, title_of, id_of, k) for one in found),
    )


def _user(one: Sample, title_of: Callable[[int], str], id_of: Callable[[int], str], k: int) -> Html:
    liked = "; ".join(map(title_of, one.last_liked))
    gain = signed(one.ap_hybrid - one.ap_als)
    return tag(
        "article",
        tag("h3", f"User {id_of(one.user)}"),
        paragraph(
            f"AP@{k} {plain(one.ap_als)} → {plain(one.ap_hybrid)} ({gain}), the middle of the "
            f"{ORDINALS[one.part - 1]} sixth · {one.n_positives:,} liked before · "
            f"{one.n_relevant} relevant in the window, {one.n_found} of them among the candidates"
        ),
        paragraph(tag("b", "Liked last: "), liked),
        tag(
            "div",
            tag("div", tag("h4", "ALS", class_="als"), _list(one.als, "als", title_of)),
            tag("div", tag("h4", "Hybrid", class_="hybrid"), _list(one.hybrid, "hybrid", title_of)),
            class_="both",
        ),
        class_="user",
    )


def _list(items: Sequence[Recommended], of: str, title_of: Callable[[int], str]) -> Html:
    return tag("ol", *(_item(one, of, title_of) for one in items))


def _item(one: Recommended, of: str, title_of: Callable[[int], str]) -> Html:
    hit = tag("span", "✓ ", class_="tick", role="img", aria_label="relevant: ")
    return tag(
        "li",
        tag("span", str(one.rank), class_="rank"),
        tag("span", hit if one.is_hit else None, title_of(one.item), class_="title"),
        tag("span", _move(one, of), class_="move"),
        _why(one) if one.reasons else None,
        class_="hit" if one.is_hit else None,
    )


def _move(one: Recommended, of: str) -> str:
    """Where the item came from, or went to."""
    if one.other == one.rank:
        return "="
    if of == "als":
        return f"→ {one.other}"
    if not one.other:
        return "▲ not of ALS"
    return f"▲ {one.other}" if one.other > one.rank else f"▼ {one.other}"


def _why(one: Recommended) -> Html:
    parts = []
    for number, reason in enumerate(one.reasons):
        parts.append(" · " if number else "")
        for place, word in enumerate(reason.feature.split("_")):
            parts += [Html("_<wbr>"), word] if place else [word]  # may be broken there
        parts.append(f"\N{NO-BREAK SPACE}{signed(reason.added, 2)}")
    return tag("span", *parts, class_="why")
