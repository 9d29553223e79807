"""One self-contained file of HTML: template, style, scripts and data put together."""

from __future__ import annotations

import base64
import hashlib
import html
import importlib.util
import re
from pathlib import Path

from hierbench.benchmarks.report.columns import as_json
from hierbench.benchmarks.report.content import Content
from hierbench.errors import UserError

HERE = Path(__file__).parent
SCRIPTS = ("state.js", "plots.js", "tables.js", "page.js")
"""In the order in which they run, after plotly's."""
INSTALL = "pip install 'hierbench[report]'"


def plotly_script() -> str:
    """Text of plotly.min.js, from the package plotly, which is not imported.

    Raises
    ------
    UserError
        It is not installed, or has no such file.
    """
    spec = importlib.util.find_spec("plotly")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        path = Path(folder) / "package_data" / "plotly.min.js"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    what = f"the one in {folders[0]} has none" if folders else "it is not installed"
    raise UserError(
        f"hierbench report puts plotly.min.js of the package plotly into its page, and {what}: {INSTALL}"
    )


def html_page(content: Content, plotly: str) -> str:
    """The page; equal contents give equal bytes.

    Its policy lets the browser run exactly the scripts that are in it, and load nothing from anywhere.
    """
    scripts = [_script_text(text) for text in (plotly, *((HERE / s).read_text("utf-8") for s in SCRIPTS))]
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(f"'sha256-{_digest(text)}'" for text in scripts),
        "style-src": "'unsafe-inline'",  # plotly sets styles of what it draws
        "img-src": "data: blob:",  # a figure that a reader saves
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    data = {"head": content.head} | {f"target-{i}": target for i, target in enumerate(content.targets)}
    parts = {
        "policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "title": html.escape(f"{content.head['suite']}: hierbench report"),
        "style": (HERE / "page.css").read_text("utf-8"),
        "data": "\n".join(
            f'<script type="application/json" id="{name}">{as_json(part)}</script>'
            for name, part in data.items()
        ),
        "scripts": "\n".join(f"<script>{text}</script>" for text in scripts),
    }
    template = (HERE / "page.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _script_text(text: str) -> str:
    """As the browser will read it: line ends are part of what the policy's digest is of."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()
