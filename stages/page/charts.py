"""Pictures as inline SVG, WIDTH units wide, so that a phone shows them at their own size.

Every picture has a <title> (what it shows) and a <desc> (what there is to see, in words). Colours
are classes, which the style sheet gives for light and dark; whatever a colour tells, a shape or a
label tells too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.labels import spread
from findings.intervals import Interval
from page.markup import Html, join, tag

WIDTH = 360
CHARACTER, BOLD = 6.9, 8.0  # widths, in units; sizes stand in the style sheet
LINE = 14.5


@dataclass(frozen=True)
class Row:
    """A row of a picture of intervals.

    kind    als, hybrid, baseline, pooled or plain: its colour and shape
    text    the figures in words, at the right; is_off_scale: too large for the axis
    """

    label: str
    interval: Interval
    text: str
    kind: str = "plain"
    is_off_scale: bool = False


class Scale:
    """A linear axis from [low, high] to [start, stop] in units of the picture."""

    def __init__(self, low: float, high: float, start: float, stop: float) -> None:
        self.low, self.high, self.start, self.stop = low, high, start, stop

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers in [low, high], equally far apart, at most so many."""
    if not high > low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * size for size in (1, 2, 2.5, 5, 10, 20) if power * size >= raw)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]


def number(value: float) -> str:
    """A tick in as few characters as it needs."""
    return f"{value:,.6g}".replace("-", "\N{MINUS SIGN}")


def shortened(label: str, width: float) -> str:
    """The label, or its beginning if it is wider than that."""
    most = int(width / CHARACTER)
    return label if len(label) <= most else f"{label[: most - 1].rstrip()}…"


def picture(title: str, description: str, height: float, *children: Html) -> Html:
    """The SVG with its title and description."""
    return tag(
        "svg",
        tag("title", title),
        tag("desc", description),
        *children,
        role="img",
        viewBox=f"0 0 {WIDTH} {height:.0f}",
    )


def text(
    x: float, y: float, content: str, class_: str | None = None, anchor: str = "start"
) -> Html:
    return tag(
        "text",
        content,
        x=x,
        y=y,
        class_=class_,
        text_anchor=None if anchor == "start" else anchor,
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Html:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def mark(x: float, y: float, kind: str) -> Html:
    """A shape for each kind: circle for ALS, diamond for the hybrid and pooled gains, square
    else.
    """
    if kind == "als":
        return tag("circle", cx=x, cy=y, r=4.5, class_="fill als")
    size = {"hybrid": 6.5, "pooled": 6.5, "plain": 4.0}.get(kind, 3.5)
    if kind in ("hybrid", "pooled"):
        return tag(
            "path",
            d=f"M{x:.2f} {y - size:.2f}l{size} {size}l{-size} {size}l{-size} {-size}z",
            class_=f"fill {kind}",
        )
    if kind == "plain":
        return tag("circle", cx=x, cy=y, r=size, class_="fill plain")
    box = {"x": x - size, "y": y - size, "width": 2 * size, "height": 2 * size}
    return tag("rect", **box, class_=f"fill {kind}")


def _bottom_axis(scale: Scale, top: float, bottom: float, label: str) -> Html:
    """Grid lines, the line of zero, ticks and the name of the axis below `bottom`."""
    parts = []
    for value in ticks(scale.low, scale.high):
        x = scale(value)
        anchor = "start" if x < 12 else "end" if x > WIDTH - 12 else "middle"
        parts.append(line(x, top, x, bottom, "zero" if value == 0 else "grid"))
        parts.append(text(x, bottom + 13, number(value), "tick", anchor))
    parts.append(text(WIDTH / 2, bottom + 28, label, "axis", "middle"))
    return join(*parts)


def span_of(rows: Sequence[Row], has_zero: bool = False) -> tuple[float, float]:
    """The ends of an axis that all these rows fit on; has_zero: 0 too, to tell gains from
    losses.
    """
    shown = [row.interval for row in rows if not row.is_off_scale] or [Interval(0, 0, 1, 0)]
    ends = [end for one in shown for end in one.reach]
    low, high = min(ends), max(ends)
    if has_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin


def interval_rows(title: str, axis: str, rows: Sequence[Row], span: tuple[float, float]) -> Html:
    """A forest plot: of each row its label and figures, below them the interval on one axis.

    span  the ends of the axis: see span_of
    """
    height = 38.0
    scale = Scale(*span, 6, WIDTH - 6)
    bottom = len(rows) * height + 4
    parts = [_bottom_axis(scale, 0, bottom, axis)]
    for place, row in enumerate(rows):
        top, y = place * height, place * height + 22
        is_strong = "strong" if row.kind in ("hybrid", "pooled") else None
        room = WIDTH - (BOLD if is_strong else CHARACTER) * len(row.text) - 8
        parts.append(text(0, top + 11, shortened(row.label, room), f"halo {is_strong or ''}"))
        parts.append(text(WIDTH, top + 11, row.text, f"halo {is_strong or 'soft'}", "end"))
        if row.is_off_scale:
            parts.append(text(WIDTH, y + 5, "beyond the axis →", "halo soft", "end"))
            continue
        if row.interval.is_known:
            low, high = scale(row.interval.low), scale(row.interval.high)
            parts.append(line(low, y, high, y, f"range {row.kind}"))
        parts.append(mark(scale(row.interval.value), y, row.kind))
    return picture(
        title, "; ".join(f"{row.label}: {row.text}" for row in rows), bottom + 34, *parts
    )


def lines(
    title: str,
    axes: tuple[str, str],
    x: Sequence[float],
    series: dict[str, tuple[str, list[float]]],
) -> Html:
    """A line for each series (kind, values), with its name at its right end.

    axes  names of the horizontal and of the vertical one
    """
    left, top, bottom, height = 36, 18, 222, 262
    labels = list(series)
    right = WIDTH - min(116, 18 + BOLD * max(map(len, labels)))
    values = np.array([of for _, of in series.values()])
    low, high = (0.0, float(values.max())) if len(series) > 1 else _wide(values)
    across = Scale(min(x), max(max(x), min(x) + 1), left, right)
    up = Scale(low, high + 0.04 * (high - low) or 1.0, bottom, top)
    parts = [text(0, 10, axes[1], "axis")]
    for value in ticks(up.low, up.high):
        parts.append(line(left, up(value), right, up(value), "grid"))
        parts.append(text(left - 5, up(value) + 4, number(value), "tick", "end"))
    for value in ticks(across.low, across.high, 6):
        if value == round(value):
            parts.append(text(across(value), bottom + 14, number(value), "tick", "middle"))
    parts.append(text((left + right) / 2, bottom + 30, axes[0], "axis", "middle"))
    ends = np.array([up(of[-1]) for _, of in series.values()])
    heights = spread(ends, LINE)
    heights = heights - max(0.0, heights.max() - bottom) if len(heights) else heights
    order = sorted(range(len(labels)), key=lambda i: series[labels[i]][0] in ("als", "hybrid"))
    for i in order:
        kind, of = series[labels[i]]
        points = " ".join(f"{across(a):.1f},{up(b):.1f}" for a, b in zip(x, of, strict=True))
        parts.append(tag("polyline", points=points, class_=f"line {kind}"))
        parts.append(mark(right, up(of[-1]), kind))
        is_strong = kind in ("als", "hybrid")
        parts.append(line(right + 6, ends[i], right + 12, heights[i], "lead"))
        label = shortened(labels[i], WIDTH - right - 14)
        parts.append(text(right + 14, heights[i] + 4, label, "strong" if is_strong else "soft"))
    said = "; ".join(f"{name}: {of[0]:.4f} to {of[-1]:.4f}" for name, (_, of) in series.items())
    return picture(title, f"From {x[0]} to {x[-1]}: {said}", height, *parts)


def _wide(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.15 * (high - low) or 0.5 * high
    return low - room, high


def bars(
    title: str, axis: str, rows: Sequence[tuple[str, float, float | None]], kind: str = "bar"
) -> Html:
    """A bar for each row (label, value, second value or None); the second value is a hollow bar
    around the first, and stands in parentheses.
    """
    height, left = 20.0, min(176.0, 8 + CHARACTER * max(len(label) for label, *_ in rows))
    right = WIDTH - (88 if any(second is not None for *_, second in rows) else 44)
    most = max(max(value, second or 0.0) for _, value, second in rows) or 1.0
    scale = Scale(0, most, left, right)
    parts = []
    for place, (label, value, second) in enumerate(rows):
        y = place * height
        parts.append(text(left - 6, y + 14, shortened(label, left - 6), None, "end"))
        if second is not None:
            width = scale(second) - left
            parts.append(tag("rect", x=left, y=y + 3, width=width, height=14.0, class_="hollow"))
        width = max(0.5, scale(value) - left)
        parts.append(tag("rect", x=left, y=y + 5, width=width, height=10.0, class_=f"fill {kind}"))
        end = scale(max(value, second or 0.0))
        said = number(float(f"{value:.2g}"))
        said += "" if second is None else f" ({number(float(f'{second:.2g}'))})"
        parts.append(text(end + 5, y + 14, said, "soft"))
    bottom = len(rows) * height + 2
    parts.append(line(left, 0, left, bottom, "zero"))
    parts.append(text((left + right) / 2, bottom + 14, axis, "axis", "middle"))
    all_of_it = "; ".join(
        f"{label}: {value:.3f}" + (f" ({second:.3f})" if second is not None else "")
        for label, value, second in rows
    )
    return picture(title, all_of_it, bottom + 22, *parts)


def columns(title: str, axis: str, values: Sequence[float], kinds: Sequence[str]) -> Html:
    """A column for each window, oldest first; kinds: history, label, validation or test, which a
    letter below tells too.
    """
    left, top, bottom, height = 44, 18, 140, 190
    up = Scale(0, max(values) * 1.04 or 1.0, bottom, top)
    pitch = (WIDTH - left) / len(values)
    parts = [text(0, 10, axis, "axis")]
    for value in ticks(0, up.high, 4):
        parts.append(line(left, up(value), WIDTH, up(value), "grid"))
        parts.append(text(left - 5, up(value) + 4, number(value), "tick", "end"))
    every = math.ceil(17 / pitch)
    for place, (value, kind) in enumerate(zip(values, kinds, strict=True)):
        x, middle = left + place * pitch, left + (place + 0.5) * pitch
        parts.append(
            tag(
                "rect",
                x=x + 0.1 * pitch,
                y=up(value),
                width=0.8 * pitch,
                height=bottom - up(value),
                class_=f"fill of-{kind}",
            )
        )
        if place % every == 0:
            parts.append(text(middle, bottom + 13, str(place), "tick", "middle"))
        if kind != "history":
            parts.append(text(middle, bottom + 27, kind[0].upper(), "tick strong", "middle"))
    parts.append(
        text((left + WIDTH) / 2, bottom + 44, "window (0 is the oldest)", "axis", "middle")
    )
    said = f"{len(values)} windows, {min(values):,.0f} to {max(values):,.0f}"
    return picture(title, said, height, *parts)


def reliability(title: str, points: Sequence[tuple[float, Interval]]) -> Html:
    """Predicted probability against the observed share, both logarithmic, with the diagonal of a
    calibrated score. A share of 0 stands on the lower edge, hollow.
    """
    left, top, right, bottom, height = 48, 20, WIDTH - 14, 300, 344
    every = [predicted for predicted, _ in points]
    every += [share for _, one in points for share in (one.value, one.high) if share > 0]
    low, high = (math.log10(max(end, 1e-5)) for end in (min(every), max(every)))
    low, high = low - 0.15, high + 0.15
    across, up = Scale(low, high, left, right), Scale(low, high, bottom, top)

    def place(share: float) -> float:
        return min(high, max(low, math.log10(share))) if share > 0 else low

    parts = [text(0, 10, "observed share of relevant candidates", "axis")]
    free = 0.0  # where the label before ends
    for power in range(math.floor(low), math.ceil(high) + 1):
        for digit in (1, 2, 5):
            value = digit * 10.0**power
            if low <= math.log10(value) <= high:
                x, y, label = across(math.log10(value)), up(math.log10(value)), number(value)
                parts.append(line(left, y, right, y, "grid"))
                parts.append(line(x, top, x, bottom, "grid"))
                parts.append(text(left - 5, y + 4, label, "tick", "end"))
                half = CHARACTER * len(label) / 2
                if x - half > free:
                    parts.append(text(x, bottom + 14, label, "tick", "middle"))
                    free = x + half + 4
    parts.append(line(left, bottom, right, top, "diagonal"))
    parts.append(text((left + right) / 2, bottom + 32, "predicted probability", "axis", "middle"))
    for predicted, one in points:
        x = across(place(predicted))
        if one.is_known:
            parts.append(line(x, up(place(one.low)), x, up(place(one.high)), "range hybrid"))
        class_ = "fill hybrid" if one.value > 0 else "hollow"
        parts.append(tag("circle", cx=x, cy=up(place(one.value)), r=4.5, class_=class_))
    said = "; ".join(f"predicted {p:.4f}, observed {one.value:.4f}" for p, one in points)
    return picture(title, said, height, *parts)
