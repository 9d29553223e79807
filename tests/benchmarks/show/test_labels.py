"""Whatever a label or a path holds is shown or replaced; a file is replaced whole or left as it was."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import synthetic_rows
from rich.console import Console

from hierbench.benchmarks.run.progress import Bar
from hierbench.benchmarks.show import output
from hierbench.benchmarks.show.draw import write_curve_figures
from hierbench.benchmarks.show.figure_data import figure_data
from hierbench.benchmarks.show.labels import LONGEST, shown_labels
from hierbench.benchmarks.show.table import print_table
from hierbench.benchmarks.suites.epsilon import EPSILONS
from hierbench.benchmarks.units.unit import CertificateUnit, Result, UnitStatus
from hierbench.errors import UserError
from hierbench.plots.data import Provenance
from hierbench.plots.error_curves import error_against_n
from hierbench.plots.n_star import n_star_against_d
from hierbench.plots.style import figure_style

LABELS = (
    *("[/b]", "[red]x", "a\nb", "\x1b[31mred", "x" * 300, "$x_", "雪 \U0001f984", "%s {0}", "\udc80"),
    *("  ", "y" * 100 + "1", "y" * 100 + "2", "-", "."),
)


def relabelled_rows(labels, d=(8,)):
    """Synthetic rows of one target, a learner for each label."""
    rows, certificates = synthetic_rows.suite()
    chosen = [
        r
        for r in rows
        if r.target == "squares-L2" and r.d in d and r.learner == "densenet" and r.target_index < 2
    ]
    target = LABELS[0]
    return (
        [dataclasses.replace(r, learner=label, target=target) for label in labels for r in chosen],
        {(target, *key[1:]): c for key, c in certificates.items() if key[0] == "squares-L2"},
    )


def test_labels_are_short_lines_and_told_apart():
    shown = shown_labels(LABELS)
    assert len(set(shown.values())) == len(LABELS)
    for text in shown.values():
        assert text.isprintable() and 0 < len(text) <= LONGEST + 4
        text.encode()
    assert shown["[/b]"] == "[/b]" and shown["\x1b[31mred"] == "red" and shown["a\nb"] == "a b"


@pytest.mark.parametrize("terminal", [False, True])
def test_tables_show_every_label(terminal):
    rows, certificates = relabelled_rows(LABELS)
    file = io.StringIO()
    print_table(rows, certificates, EPSILONS[:1], Console(file=file, force_terminal=terminal, width=200))
    assert "[/b]" in file.getvalue() and "[red]x" in file.getvalue() and "\x1b[31mred" not in file.getvalue()


@pytest.mark.slow
def test_figures_take_every_label(tmp_path):
    rows, certificates = relabelled_rows(LABELS)
    # five figures, each as PDF and PNG with a caption
    assert len(write_curve_figures(rows, certificates, EPSILONS[:1], tmp_path)) == 15


def test_the_bar_takes_every_label():
    bar = Bar()
    units = [
        CertificateUnit(str(k), {}, "", {}, "s", label, {}, 4, 0, 1.0)  # type: ignore[arg-type]
        for k, label in enumerate(LABELS[:8])
    ]
    bar.start(units, 0, 1)
    for unit in units:
        bar.finished(unit, Result(UnitStatus.FAILED, "[/x]"))
    bar.close()


@pytest.mark.parametrize("count", [1, 9, 14])
@pytest.mark.parametrize("drawn", [error_against_n, n_star_against_d])
def test_no_legend_covers_a_panel(count, drawn):
    labels = [f"a learner with quite a long label, {k}" for k in range(count)]
    rows, certificates = relabelled_rows(labels)
    with figure_style():
        data = figure_data(rows, certificates, EPSILONS[:1], Provenance("s", "x", 1, ("c",), "1"))
        figure = drawn(data, data.targets[0])
        figure.draw_without_rendering()
        panel = figure.axes[0].get_window_extent()
        legends = [*figure.legends, *filter(None, [figure.axes[0].get_legend()])]
        assert legends and not any(legend.get_window_extent().overlaps(panel) for legend in legends)
        assert panel.height > 60 and panel.width > 60


@pytest.mark.parametrize(
    "backend",
    ["nonsense", pytest.param("module://matplotlib_inline.backend_inline", marks=pytest.mark.slow)],
)
def test_no_backend_is_read(tmp_path, backend):
    program = """if 1:
        import sys
        from pathlib import Path
        from hierbench.benchmarks.show import draw
        with draw._no_backend():
            import synthetic_rows
            from hierbench.plots.style import figure_style
            with figure_style():
                pass
    """
    path = str(Path(synthetic_rows.__file__).parent)
    environment = {**os.environ, "MPLBACKEND": backend, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)


def test_a_file_stays_where_its_successor_cannot_be_written(tmp_path, monkeypatch):
    path = tmp_path / "report.md"
    output.deliver("good\n", path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="cannot be written"):
        output.deliver("better\n", path)
    assert path.read_text() == "good\n" and os.listdir(tmp_path) == ["report.md"]
