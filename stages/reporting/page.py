"""The page as one HTML file with SVG pictures and the style sheet, without scripts or links."""

import io
import re
import warnings
from collections.abc import Sequence
from html import escape
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes

from evaluation.pictures import PALETTE

NOISE = (  # markup of matplotlib that a page with a style sheet does not need
    r"<metadata>.*?</metadata>|<style.*?</style>|\n *|font-family: [^;]*; "
    r'| transform="rotate\(-0 [^"]*"'
)
STYLE = Path(__file__).with_name("style.css")


class Html(str):
    """Markup. Other strings are text, which is escaped when it becomes part of markup."""


def tag(name: str, *children: object, **attributes: object) -> Html:
    """Return <name attributes>children</name>. class_ becomes class, a_b a-b; None is left out."""
    given = {key.rstrip("_"): value for key, value in attributes.items() if value is not None}
    written = "".join(f' {k.replace("_", "-")}="{escape(str(of))}"' for k, of in given.items())
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: object) -> Html:
    """Concatenate the children; None is left out."""
    given = [one for one in children if one is not None]
    return Html("".join(one if isinstance(one, Html) else escape(str(one), False) for one in given))


def document(title: str, head: Html, sections: dict[str, Html], foot: str) -> str:
    """Return the text of the file.

    head  markup above the table of contents; sections  heading -> markup
    """
    id_of = {heading: heading.lower().replace(" ", "-") for heading in sections}
    links = [tag("a", heading, href=f"#{name}") for heading, name in id_of.items()]
    parts = [
        tag("section", tag("h2", heading), content, id=id_of[heading])
        for heading, content in sections.items()
    ]
    contents = tag("nav", *links, aria_label="Contents")
    body = tag("body", tag("main", head, contents, *parts), tag("footer", foot))
    text = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"{tag('title', title)}<style>\n{STYLE.read_text(encoding='utf-8')}</style></head>\n"
        f"{body}</html>\n"
    )
    return re.sub("><(section|figure)", r">\n<\1", text)


def paragraph(*children: object) -> Html:
    return tag("p", *children)


def figures(text: str, *parts: Html | None) -> Html:
    """Return a paragraph, and figures side by side, as many as fit."""
    return join(paragraph(text), tag("div", *parts, class_="pictures"))


def figure(heading: str, axes: Axes, words: str) -> Html:
    """Return a heading, unique on the page, and axes as SVG with the colours of the style sheet.

    words  description for screen readers
    """
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": heading})
    file = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the browser has other fonts
        axes.figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    box = re.search(r'viewBox="[^"]*"', text)[0]
    text = re.sub(NOISE, "", text, flags=re.DOTALL)
    used = set(re.findall(r"#([\w.-]+)", text))
    text = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", text)
    for name, colour in PALETTE.items():
        text = text.replace(colour, f"var(--{name})")
    content = text[text.index(">", text.index("<svg")) + 1 :]
    texts = join(tag("title", heading), tag("desc", words))
    svg = Html(f'<svg role="img" {box}>{texts}{content}')
    return tag("figure", tag("h3", heading), svg)


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> Html:
    """Return a table that scrolls sideways if it is too wide."""
    names = tag("tr", *(tag("th", name, scope="col") for name in head))
    body = [
        tag("tr", tag("th", first, scope="row"), *(tag("td", of) for of in others))
        for first, *others in rows
    ]
    parts = tag("caption", caption), tag("thead", names), tag("tbody", *body)
    scrolls = {"class_": "wide", "role": "region", "aria_label": caption, "tabindex": 0}
    return tag("div", tag("table", *parts), **scrolls)
