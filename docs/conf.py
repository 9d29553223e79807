"""Settings of Sphinx: ``make docs`` builds the pages of this folder into ``build/docs``."""

import importlib.metadata
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
os.environ.setdefault("JAX_PLATFORMS", "cpu")  # examples say nothing of accelerators that are not there
os.environ["COLUMNS"] = "100"  # usage lines of commands are wrapped for a terminal of this width

import reference  # noqa: E402  beside this file

project = "hierbench"
author = "the authors of hierbench"
release = importlib.metadata.version("hierbench")
html_title = f"hierbench {release}"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["generated", "examples", "gallery/sg_execution_times.rst", "sg_execution_times.rst"]
html_theme = "furo"
html_show_copyright = False
html_copy_source = False
highlight_language = "none"  # blocks of docstrings are formulas
smartquotes = False  # options begin with two dashes

# as GitHub makes them, so that one link serves both
myst_heading_anchors = 4

# pages name every object that they describe, so that nothing is generated beside them
autosummary_generate = False
autodoc_typehints = "none"  # docstrings have shapes and units, which annotations lack
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "capture_repr": (),
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "remove_config_comments": True,
    "abort_on_example_error": True,
}

reference.write(HERE / "generated")


def setup(app):
    """Read docstrings and links as they are written: |x| is a norm, coef_ a name, an example a file."""
    app.connect("autodoc-process-docstring", _plain, priority=100)  # before numpydoc
    app.connect("source-read", _examples)


def _examples(app, page, source):
    # on GitHub the link of an example leads to its source, here to its page
    source[0] = re.sub(r"\(examples/(plot_\w+)\.py\)", r"(gallery/\1.rst)", source[0])


def _plain(app, what, name, obj, options, lines):
    lines[:] = reference.plain_docstring(lines)
