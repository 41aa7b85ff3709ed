"""HTML and SVG as text that is escaped unless it is markup."""

from html import escape


class Html(str):
    """Markup. Any other string is text, and escaped when it is put into markup."""

    __slots__ = ()


def tag(name: str, *children: object, **attributes: object) -> Html:
    """<name attributes>children</name>. class_ is written class, a_b a-b; numbers are rounded to
    two places, None and False left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: object) -> Html:
    """One after the other; None is nothing."""
    return Html(
        "".join(
            child if isinstance(child, Html) else escape(str(child), quote=False)
            for child in children
            if child is not None
        )
    )


def _value(value: object) -> str:
    if isinstance(value, float):
        rounded = f"{value:.2f}".rstrip("0").rstrip(".")
        return "0" if rounded == "-0" else rounded
    return escape(str(value))


def signed(value: float, places: int = 3) -> str:
    """With its sign; a true minus, as in every text of the page."""
    return f"{value:+.{places}f}".replace("-", "\N{MINUS SIGN}")


def plain(value: float, places: int = 3) -> str:
    """A number with these decimals; a dash where it is unknown."""
    return "–" if value != value else f"{value:.{places}f}".replace("-", "\N{MINUS SIGN}")


def between(low: float, high: float, places: int = 3) -> str:
    """An interval; NaN where there is none."""
    if not low <= high:
        return "too few users"
    return f"{plain(low, places)} to {plain(high, places)}"


def name_of(model: str) -> str:
    """What a model is called in a text."""
    return {
        "als": "ALS",
        "hybrid": "hybrid",
        "popular": "popular",
        "recent_popular": "recent popular",
        "item_knn": "item-item kNN",
        "ease": "EASE",
        "content": "content",
        "ceiling": "ceiling",
    }.get(model, model.replace("_", " "))
