"""README.md and docs/: links lead somewhere, commands can be called, blocks of Python run."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import tomllib
import types

import pytest
import typer
from machinery import ROOT, here, one_by_one
from PIL import Image
from texts import anchors, blocks, commands, dead, links

from hierbench import plots
from hierbench.benchmarks.claims.claims_file import load_claims
from hierbench.benchmarks.cli import app, main
from hierbench.benchmarks.run import local_pool
from hierbench.benchmarks.suites.choices import choose, parse_value
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite_file import check_target, known_suites, load_suite
from hierbench.errors import UserError
from hierbench.learners.registry import LEARNERS
from hierbench.targets.registry import FAMILIES
from hierbench.targets.testing import CHECKS

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
EXAMPLES = sorted((DOCS / "examples").glob("plot_*.py"))
PLACEHOLDERS = {"MINUTES": "1", "d=D": "d=8"}
"""Words of a text that stand for a number: a number that may stand there."""
CALLS = {
    " ".join(call): call
    for path in [*PAGES, *EXAMPLES]
    for call in commands(path.read_text(encoding="utf-8"))
}
ON_ROWS = ("table", "status", "budgets", "figures", "report", "compare", "claims")
"""Commands that read a store, and take a second or less."""


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def is_placeholder(word: str) -> bool:
    """Whether a word of a command stands for another: SUITE, NAME=VALUE, TARGET.d=D, ..."""
    return bool(re.fullmatch(r"[A-Z][A-Z_]*(\.\.\.)?|.*=(VALUE|\.\.\.)|\.\.\.", word))


# links -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_links_and_headings_exist(path):
    assert dead(path) == []


def test_a_dead_link_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A page, `with` code\n\n[a](#a-page-with-code) [b](#b) [c](c.md) [d](page.md#d)\n")
    assert dead(page) == ["#b: no such heading", "c.md: no such file", "page.md#d: no such heading"]
    assert links("```\n[a](b)\n```\n[c](https://c.org) ![d](d.png)") == ["d.png"]
    assert anchors("# n\\* and *eps*\n## Twice\n## Twice") == {"n-and-eps", "twice", "twice-1"}


def test_every_page_is_in_the_contents():
    contents = re.findall(r"^```\{toctree\}\n(.*?)^```$", text_of("docs/index.md"), flags=re.M | re.S)
    listed = {line for block in contents for line in block.splitlines()}
    assert {path.stem for path in PAGES[1:]} - {"index"} <= listed


@pytest.mark.parametrize("path", sorted((DOCS / "figures").glob("*.png")), ids=lambda path: path.stem)
def test_a_figure_is_of_the_suite_that_the_page_says(path):
    """Suites share names of figures: which it is of stands in the file."""
    rows = [line for line in text_of("docs/reproduce.md").splitlines() if f"`{path.stem}`" in line]
    made_by = {suite for row in rows for suite in re.findall(r"`hierbench run ([\w-]+)", row)}
    with Image.open(path) as image:
        (suite,) = re.findall(r"; suite ([\w-]+);", image.text["Source"])
    assert made_by == {suite}


# commands ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def group():
    return typer.main.get_command(app)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The learner of the README, where a command that names mine:NearestRows finds it."""
    (block,) = blocks(text_of("README.md"), "python")
    (tmp_path / "mine.py").write_text(block)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def parsed(group, call):
    """Name and parameters of a command; pytest.fail where the parser refuses it."""
    parent = group.make_context("hierbench", [], resilient_parsing=True)
    call = [PLACEHOLDERS.get(word, word) for word in call]
    if call[0].startswith("-"):
        known = {name for p in group.get_params(parent) for name in p.opts}
        assert call[0] in known, f"hierbench has no option {call[0]}"
        return "", {}
    try:
        name, command, rest = group.resolve_command(parent, call)
        assert command is not None, "no such command"
        context = command.make_context(name, [word for word in rest if word != "--help"], parent=parent)
    except Exception as error:  # classes of the parser have moved between versions of typer
        if type(error).__name__ == "MissingParameter":  # a sentence about a command, not a call of it
            return call[0], {}
        pytest.fail(f"hierbench {' '.join(call)}: {error}")
    return name, context.params


def check_names(name, params):
    """Refuse what does not exist: suites, labels, learners, targets, dimensions, parameters, claims."""

    def given(key):
        values = params.get(key) or []
        values = values if isinstance(values, (list, tuple)) else [values]
        return [value for value in values if not is_placeholder(str(value))]

    suites = [s for s in given("suite") if not s.endswith(".toml")]
    assert set(suites) <= set(known_suites())
    if name == "describe":
        assert set(given("target")) <= set(FAMILIES)
        settings = {k: parse_value(v) for k, _, v in (s.partition("=") for s in given("settings"))}
        if given("target") and "d" in settings:
            check_target(params["target"], settings.pop("d"), settings)
    elif name == "list":
        known = {"learners", "targets", "suites", *LEARNERS, *FAMILIES, *known_suites()}
        assert {n for n in given("name") if not n.endswith(".toml")} <= known
    elif name == "claims":
        assert set(given("ids")) <= {claim.id for claim in load_claims()}
    elif name == "run" and suites:
        keys = ("learner", "target", "d", "settings", "experiment")
        to_run, _ = choose(load_suite(suites[0]), *(given(key) for key in keys))
        assert set(given("fresh")) <= {entry.label for entry in to_run.learners}


@pytest.mark.parametrize("call", CALLS)
def test_every_command_can_be_called(group, mine, call):
    check_names(*parsed(group, [word for word in CALLS[call] if word != "COMMAND"]))


def test_commands_are_found_wherever_they_stand():
    block = "```bash\n$ hierbench claims C05\n```"
    text = f"Call `hierbench list NAME`.\n\n    hierbench run smoke  # seconds\n\n{block}\n"
    assert commands(text) == [["claims", "C05"], ["run", "smoke"], ["list", "NAME"]]
    called = {words[0] for words in CALLS.values()}
    assert {"list", "run", "claims", "describe", "table", "merge", "regress"} <= called


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("rnu smoke", "no such command"),
        ("run smok", "smok"),
        ("run smoke --lerner x", "No such option: --lerner"),
        ("run smoke --workers two", "two"),
        ("run smoke --learner krr_rfb", "did you mean 'krr_rbf'"),
        ("run smoke --target squares", "did you mean 'squares-L2'"),
        ("run smoke --d 5", "d = 5"),
        ("run smoke --set krr_rbf.lenght_scale=1", "did you mean 'length_scale'"),
        ("run smoke --fresh densenet", "densenet"),
        ("list densnet", "densnet"),
        ("describe sqares", "sqares"),
        ("describe squares --set d=8 --set dept=2", "did you mean 'depth'"),
        ("claims C99", "C99"),
        ("--hlep", "--hlep"),
    ],
)
def test_a_wrong_command_is_seen(group, call, says):
    with pytest.raises((AssertionError, ValueError, UserError, pytest.fail.Exception), match=re.escape(says)):
        check_names(*parsed(group, call.split()))


def called(capsys, *arguments):
    """Exit status and output of a command in this process."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code, capsys.readouterr().out


CHEAP = [
    call
    for call, words in CALLS.items()
    if (words[0] == "list" and "NAME" not in words) or (words[0] == "describe" and words[1:])
]
NAMED = sorted({words[0] for words in CALLS.values() if not words[0].startswith("-")} - {"COMMAND"})


@pytest.mark.parametrize("call", CHEAP)
def test_commands_that_need_no_rows_run(capsys, call):
    code, out = called(capsys, *CALLS[call])
    assert code == 0 and out


@pytest.mark.parametrize("name", NAMED)
def test_every_command_that_is_named_has_help(capsys, name):
    code, out = called(capsys, name, "--help")
    assert code == 0 and out.startswith(f"Usage: hierbench {name} ")


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """Results of a part of the suite smoke."""
    folder = tmp_path_factory.mktemp("docs")
    part = "run smoke --learner krr_polynomial --d 4 --workers 1 --no-figures"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(local_pool, "opened", here)
        main([*part.split(), "--results", str(folder / "results")])
    assert end.value.code == 0
    return folder


ON_SMOKE = [
    call
    for call, words in CALLS.items()
    if words[0] in ON_ROWS and words[1:2] == ["smoke"] and "--learner" not in words
]


@pytest.mark.parametrize("call", ON_SMOKE)
def test_commands_on_rows_of_smoke_run(smoke, capsys, monkeypatch, call):
    monkeypatch.chdir(smoke)
    monkeypatch.setattr(plots, "spread", one_by_one)
    monkeypatch.setattr(plots, "KINDS", ("error_against_n",))  # tests/plots draws the others
    code, out = called(capsys, *CALLS[call])
    assert code == 0 and out


def test_the_rows_of_smoke_are_read(smoke, capsys, monkeypatch):
    monkeypatch.chdir(smoke)
    (block,) = blocks(text_of("docs/start.md"), "python")
    exec(compile(block, "start.md", "exec"), {})
    assert re.search(r"krr_polynomial +4 +27 ", capsys.readouterr().out)


# Python ------------------------------------------------------------------------------------------


def test_studies_that_are_named_exist():
    texts = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    named = set(re.findall(r"python -m (hierbench[\w.]+)", texts))
    assert "hierbench.benchmarks.studies.coverage" in named
    assert [name for name in named if importlib.util.find_spec(name) is None] == []


def test_the_learner_of_the_guide_is_that_of_the_readme(mine):
    (readme,) = blocks(text_of("README.md"), "python")
    learner, contract = blocks(text_of("docs/add_learner.md"), "python")
    assert learner == readme
    names = {}
    exec(compile(contract, "add_learner.md", "exec"), names)
    test = names["TestNearestRows"]
    assert test().create().k == 3
    sys.modules.pop("mine")


@pytest.fixture(scope="module")
def product():
    """The family of the guide to targets, whose blocks are run one after the other in a module."""
    module = types.ModuleType("product_of_two")
    sys.modules[module.__name__] = module  # dataclasses and pickle look it up there
    for block in blocks(text_of("docs/add_target.md"), "python"):
        exec(compile(block, "add_target.md", "exec"), module.__dict__)
    yield module.ProductOfTwo
    del sys.modules[module.__name__]


@pytest.mark.parametrize("check", CHECKS)
def test_the_target_of_the_guide_keeps_the_contract(product, check):
    check(lambda seed: product(8, seed))


def test_the_target_of_the_guide_is_of_degree_two(product):
    shares = product(8, 0).certificate().degree_share
    assert {degree: round(share.value, 12) for degree, share in shares.items()} == {2: 1.0}


def test_the_suite_of_the_guide_runs_the_target_of_the_guide(tmp_path, monkeypatch):
    page = text_of("docs/add_target.md")
    (tmp_path / "mine.py").write_text(blocks(page, "python")[0])
    (suite,) = blocks(page, "toml")
    (tmp_path / "product.toml").write_text(suite)
    monkeypatch.syspath_prepend(str(tmp_path))
    plan = make_plan(load_suite(str(tmp_path / "product.toml")))
    assert {u.target_spec["family"] for u in plan.curves} == {"mine:ProductOfTwo"}


def test_the_net_of_the_page_on_gpus():
    (block,) = blocks(text_of("docs/gpu.md"), "python")
    names = {}
    exec(compile(block, "gpu.md", "exec"), names)
    assert names["learner"].device == "cuda"


def test_what_builds_the_pages_is_pinned():
    needed = tomllib.loads(text_of("pyproject.toml"))["project"]["optional-dependencies"]["docs"]
    pins = re.findall(r"^([\w.-]+)==", text_of("constraints.txt"), flags=re.M)
    pinned = {re.sub(r"[-_.]+", "-", pin.lower()) for pin in pins}
    assert needed and [name for name in needed if re.split(r"[<>=!]", name)[0] not in pinned] == []


# the reference -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference():
    """docs/reference.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("reference_of_docs", DOCS / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_has_every_command_learner_and_target(reference, group, tmp_path):
    reference.write(tmp_path)
    texts = {path.stem: path.read_text() for path in tmp_path.iterdir()}
    for name, command in group.commands.items():
        section = texts["commands"].partition(f"## hierbench {name}\n")[2].partition("\n## ")[0]
        options = [option for p in command.params for option in p.opts if option.startswith("--")]
        assert section and [option for option in options if option not in section] == [], name
    for registry, text in ((LEARNERS, texts["learners"]), (FAMILIES, texts["targets"])):
        for name, entry in registry.items():
            assert f"| `{name}` |" in text
            assert f".{entry.path.partition(':')[2]}\n" in text
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    reference.write(tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}


def test_docstrings_are_no_markup_where_they_mean_none(reference):
    lines = ["coef_ is |x| in ``|y|`` or ``a_``::", "", "    |z| b_", "", "then |u|"]
    assert reference.plain_docstring(lines) == [
        r"coef\_ is \|x\| in ``|y|`` or ``a_``::", "", "    |z| b_", "", r"then \|u\|",
    ]  # fmt: skip


def test_what_the_page_of_the_interface_names_exists():
    named = re.findall(r"(?:auto\w+:: |~)(hierbench[\w.]+)", text_of("docs/api.md"))
    assert len(named) > 30
    for name in named:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute) or importlib.util.find_spec(name), name
