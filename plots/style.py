"""What all figures share: the style, the look of a learner, and how a figure is written."""

from __future__ import annotations

import dataclasses
import io
import itertools
import math
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from hierbench.files import replace_file
from hierbench.plots.data import Provenance

COLUMN_WIDTH = 3.4  # inches, one of them
PAGE_WIDTH = 6.9  # inches, two columns of a paper
LEGEND_LINE = 0.15  # inches
GREY = "0.55"
"""Colour of what stands behind the rest."""
STYLE_FILE = Path(__file__).with_name("hierbench.mplstyle")


@dataclasses.dataclass(frozen=True)
class Look:
    """Colour, marker and dashes of one learner, and its place among all learners."""

    color: str
    marker: str
    linestyle: str
    index: int


@contextmanager
def figure_style() -> Iterator[None]:
    """Apply the style file over matplotlib's own defaults, whatever the user has configured."""
    with mpl.style.context(STYLE_FILE, after_reset=True):
        yield


def looks(learners: Sequence[str], greyed: Collection[str] = ()) -> dict[str, Look]:
    """One look a learner, in order, grey where it stands behind the others; inside ``figure_style``."""
    cycle = itertools.cycle(mpl.rcParams["axes.prop_cycle"])
    return {
        name: Look(
            color=GREY if name in greyed else f"#{entry['color'].lstrip('#')}",
            marker=entry["marker"],
            linestyle=entry["linestyle"],
            index=k,
        )
        for k, (name, entry) in enumerate(zip(learners, cycle, strict=False))
    }


def text(label: str) -> str:
    """Label as it is: a dollar sign in it does not begin mathematics."""
    return label.replace("$", r"\$")


def legend_entry(
    label: str, color: str = "0.35", marker: str = "", linestyle: Any = "none", hollow: bool = False
) -> Line2D:
    """Legend entry, by default grey: for what holds for all learners."""
    fill = "white" if hollow else color
    return Line2D(
        [], [], color=color, marker=marker, linestyle=linestyle, markerfacecolor=fill, label=text(label)
    )


def n_columns(figure: Figure, handles: Sequence[Line2D]) -> int:
    """As many legend columns as surely fit below a figure."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    return max(1, min(len(handles), int(figure.get_figwidth() * 72 / (longest * 3.7 + 28))))


def legend_below(figure: Figure, handles: Sequence[Line2D]) -> None:
    """Legend below all panels, for which the figure grows: it takes no room from them."""
    columns = n_columns(figure, handles)
    rows = math.ceil(len(handles) / columns)
    figure.set_figheight(figure.get_figheight() + LEGEND_LINE * (rows - 1))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def dimension_axis(ax: Axes, dims: Sequence[int]) -> None:
    """Logarithmic d axis with one tick a dimension, named where there is room."""
    ax.set_xscale("log")
    named: list[int] = []
    room = 0.085 * math.log(1.4 * max(dims) / min(dims))
    for d in dims:
        if not named or math.log(d / named[-1]) >= room:
            named.append(d)
    ax.xaxis.set_major_locator(FixedLocator(list(dims)))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{d}" if d in named else "" for d in dims]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlim(min(dims) / 1.15, max(dims) * 1.15)
    ax.set_xlabel("dimension d")


def dodges(learners: Sequence[str], dims: Sequence[int]) -> dict[str, float]:
    """Factors on d that set learners side by side, within two thirds of the closest gap."""
    gaps = [b / a for a, b in itertools.pairwise(sorted(dims))]
    width = min([1.4, *gaps]) ** 0.62
    middle = (len(learners) - 1) / 2
    return {name: width ** ((k - middle) / max(2 * middle, 1)) for k, name in enumerate(learners)}


def rendered(figure: Figure, kind: str, subject: str, provenance: Provenance) -> dict[str, bytes]:
    """A figure of ``subject`` as PDF and PNG with its provenance, and no date, inside: content by suffix."""
    # Laid out once: both files look alike, and the layout costs more than the drawing.
    layout = figure.get_layout_engine()
    if layout is not None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")
            layout.execute(figure)
        figure.set_layout_engine("none")
    title = f"{kind.replace('_', ' ')}, {subject}"
    source, code = provenance.sentence(), ", ".join(provenance.code)
    program = f"hierbench {provenance.version}"
    pdf = {"Title": title, "Subject": source, "Keywords": f"code: {code}", "Creator": program}
    png = {"Title": title, "Source": source, "Comment": f"code: {code}", "Software": program}
    contents = {}
    for suffix, metadata in (("pdf", pdf | {"CreationDate": None}), ("png", png)):
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # that the font lacks: a box stands for it
            figure.savefig(buffer, format=suffix, metadata=metadata)
        contents[suffix] = buffer.getvalue()
    return contents


@dataclasses.dataclass
class FigureWriter:
    """Writes figures as PDF and PNG, each complete or as it was."""

    out_dir: Path
    provenance: Provenance
    paths: list[Path] = dataclasses.field(default_factory=list)

    def write(self, figure: Figure, kind: str, target: str) -> None:
        """Write one figure."""
        self.keep(rendered(figure, kind, f"target {target}", self.provenance), kind, target)

    def keep(self, contents: Mapping[str, bytes], kind: str, target: str) -> None:
        """Write what ``rendered`` made."""
        self.out_dir.mkdir(parents=True, exist_ok=True)
        stem = self._stem(kind, target)
        for suffix, content in contents.items():
            path = self.out_dir / f"{stem}.{suffix}"
            replace_file(path, content)
            self.paths.append(path)

    def _stem(self, kind: str, target: str) -> str:
        """File name; labels that differ only in odd characters get a number."""
        stem = f"{kind}_{re.sub(r'[^A-Za-z0-9_.+-]+', '-', target).strip('-.') or 'target'}"
        taken = {path.stem for path in self.paths}
        candidates = itertools.chain([stem], (f"{stem}-{k}" for k in itertools.count(2)))
        return next(name for name in candidates if name not in taken)
