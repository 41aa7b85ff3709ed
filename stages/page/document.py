"""The page as one file: style sheet inside, nothing loaded, no script."""

from collections.abc import Sequence
from pathlib import Path

from page.markup import Html, tag

STYLE = Path(__file__).with_name("style.css")


def document(title: str, head: Html, sections: dict[str, tuple[str, Html]], foot: Html) -> str:
    """The text of the file.

    head      what stands above the contents; sections: id -> heading and content
    """
    contents = tag(
        "nav",
        *(tag("a", heading, href=f"#{name}") for name, (heading, _) in sections.items()),
        aria_label="Contents",
    )
    parts = [
        tag("section", tag("h2", heading), content, id=name)
        for name, (heading, content) in sections.items()
    ]
    body = tag("body", tag("main", head, contents, *parts), tag("footer", foot))
    return (
        (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<link rel="icon" href="data:,">'
            f"{tag('title', title)}<style>\n{STYLE.read_text(encoding='utf-8')}</style></head>\n"
            f"{body}</html>\n"
        )
        .replace("><section", ">\n<section")
        .replace("><figure", ">\n<figure")
    )


def figure(heading: str, picture: Html, caption: str | None = None) -> Html:
    """A picture with a heading above and a sentence below."""
    return tag(
        "figure", tag("h3", heading), picture, tag("figcaption", caption) if caption else None
    )


def pictures(*figures: Html, is_pair: bool = False) -> Html:
    """Pictures side by side where there is room."""
    return tag("div", *figures, class_="pictures two" if is_pair else "pictures")


def table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[object]], strong: str = ""
) -> Html:
    """A table that scrolls by itself where it is too wide; the row that starts with `strong` is
    bold.
    """
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            *(tag("td", cell) for cell in row[1:]),
            class_="strong" if row[0] == strong else None,
        )
        for row in rows
    ]
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head))),
            tag("tbody", *body),
        ),
        class_="wide",
        role="region",
        aria_label=caption,
        tabindex=0,
    )


def paragraph(*children: object, class_: str | None = None) -> Html:
    return tag("p", *children, class_=class_)
