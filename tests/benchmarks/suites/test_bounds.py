"""Numbers and sizes of suite files: bounded before anything is built, and said in one line."""

import re

import pytest

from hierbench.benchmarks.run import runner
from hierbench.benchmarks.suites import limits
from hierbench.benchmarks.suites.choices import choose, parse_value
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.checks import LARGEST_DIMENSION, LARGEST_INTEGER
from hierbench.errors import UserError

GOOD = """\
name = "s"
summary = "a test"
replicates = 4
test = {min = 64, max = 128}
timeout_seconds = 60
epsilons = [0.3, 0.1]

[[target]]
label = "sq"
family = "squares"
params = {depth = 2, alpha = 0.5}

[[learner]]
learner = "krr_polynomial"
params = {offset = 0.5}

[[run]]
targets = ["sq"]
learners = ["krr_polynomial"]
d = [4, 6]
sizes = {scale = 8, power = 1, ratio = 2, count = 3, max = 400}
"""
HUGE = "1" + "0" * 400


def refused(tmp_path, content):
    """The message without its path."""
    path = tmp_path / "s.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as error:
        load_suite(str(path))
    text = str(error.value)
    assert text.startswith(f"{path}:") and "\n" not in text and len(text) < 1000
    return text.removeprefix(f"{path}:")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("replicates = 4", "replicates = 1_000_000_000", "3: replicates = 1000000000: allowed are integers"),
        ("replicates = 4", f"replicates = {HUGE}", "3: replicates = 1000"),
        (
            "replicates = 4",
            "crossed = {targets = 1_000_000_000, samples = 1, inits = 1}",
            "3: crossed.targets = 1000000000: allowed are integers from 1 to 10000",
        ),
        (
            "replicates = 4",
            "crossed = {targets = 1000, samples = 1000, inits = 1}",
            "3: crossed: targets * samples * inits = 1000000: allowed are integers up to 10000",
        ),
        ("min = 64, max = 128", f"min = 64, max = {HUGE}", "4: test.max = 1000"),
        ("seconds = 60", f"seconds = {HUGE}", "5: timeout_seconds = 1000"),
        ("seconds = 60", "seconds = inf", "5: timeout_seconds = inf: allowed is a number > 0, up to 1e+08"),
        ("[0.3, 0.1]", f"[0.3, {HUGE}]", "6: epsilons = 1000"),
        ("[0.3, 0.1]", "[1e-320]", "6: epsilons = 1e-320: allowed are positive numbers from 1e-12 to 1e+06"),
        ("depth = 2", f"depth = {HUGE}", "11: target.params: depth = 1000"),
        ("alpha = 0.5", f"alpha = {HUGE}", "11: target.params: alpha = 1000"),
        ("alpha = 0.5", "alpha = nan", "11: target.params: alpha = nan: allowed are finite numbers"),
        ("alpha = 0.5", f'inputs = "{"x" * 2000}"', "allowed are texts of at most 1000 characters"),
        ("alpha = 0.5", r'inputs = "\u0000"', "none of them null"),
        ("alpha = 0.5", f"alpha = {[1] * 2000}", "at most 1000 entries and 8 levels"),
        ("alpha = 0.5", f"alpha = {'[' * 20}{']' * 20}", "at most 1000 entries and 8 levels"),
        ("alpha = 0.5", f"x{'.x' * 2000} = 1", "at most 1000 entries and 8 levels"),
        (
            "offset = 0.5",
            "offset = 1e13",
            "15: learner.params: offset = 10000000000000.0: allowed are numbers of",
        ),
        ("offset = 0.5", f"offset = {HUGE}", "15: learner.params: offset = 1000"),
        ("offset = 0.5", "degree = 65", "degree = 65: allowed are numbers of size up to 64"),
        ("d = [4, 6]", "d = [4, 100_000]", "20: run.d = 100000: allowed are integers from 1 to 16384"),
        ("d = [4, 6]", f"d = [4, {HUGE}]", "20: run.d = 1000"),
        ("d = [4, 6]", "d = [4, 8192]", "numbers to draw = "),
        ("d = [4, 6]", f"d = {list(range(4, 2000))}", "one at least and 1000 at most"),
        ("scale = 8", f"scale = {HUGE}", "21: run.sizes.scale = 1000"),
        ("power = 1", "power = 1001", "power = 1001: allowed is a number >= 0, up to 1000"),
        ("scale = 8, power = 1", "scale = 1e8, power = 510", "no size up to max = 400 at d = 4"),
        ("count = 3", "count = 1_000_000_000", "count = 1000000000: allowed are integers from 1 to 1000"),
        ("max = 400", "max = 1_000_000_000", "max = 1000000000: allowed are integers from 2 to 100000000"),
        ('"s"', f'"{"s" * 101}"', "1: name = 'sss"),
        ('"s"', r'"a\nb"', "1: name = 'a\\nb': allowed is a name of a folder"),
        ('"a test"', r'"\u0000"', "2: summary = '\\x00': allowed is a text of at most 1000 characters"),
    ],
)
def test_a_number_without_bounds_is_refused_where_it_stands(tmp_path, old, new, says):
    assert old in GOOD
    assert says in refused(tmp_path, GOOD.replace(old, new, 1))


def test_the_largest_numbers_that_are_allowed_are_allowed(tmp_path):
    text = GOOD.replace('"squares"', '"sparse-direction"').replace("depth = 2, alpha = 0.5", "power = 2")
    text = text.replace("d = [4, 6]", f"d = [4, {LARGEST_DIMENSION}]").replace("max = 400", "max = 131_072")
    text = text.replace("scale = 8", "scale = 2").replace("= 60", "= 1e8").replace("128}", "131_072}")
    (tmp_path / "s.toml").write_text(text)
    assert load_suite(str(tmp_path / "s.toml")).runs[0].d == (4, LARGEST_DIMENSION)
    one_more = refused(tmp_path, text.replace("131_072}", "131_073}", 1))
    assert "n d = 2147500032: allowed are integers up to 2147483648 (16 GiB)" in one_more


@pytest.mark.parametrize(
    ("replicates", "cells", "says"),
    [
        (
            10_000,
            "d = [4, 5, 6, 7]",
            "units of the suite up to here = 50000: allowed are integers up to 10000",
        ),
        (400, "d = [4, 6, 8]", "rows of the suite up to here = 1200000: allowed are integers up to 200000"),
    ],
)
def test_units_and_rows_are_counted_before_one_is_made(tmp_path, monkeypatch, replicates, cells, says):
    monkeypatch.setattr("hierbench.benchmarks.suites.suite_file.check_target", None)
    text = GOOD.replace("replicates = 4", f"replicates = {replicates}").replace("d = [4, 6]", cells)
    assert f"21: run.sizes: {says}" in refused(tmp_path, text.replace("count = 3", "count = 1000"))


def test_experiments_are_counted_before_one_is_made(tmp_path):
    text = (
        'name = "e"\nsummary = "x"\ntimeout_seconds = 9\n[[experiment]]\nlabel = "g"\n'
        'experiment = "growth"\nseconds = 1\nover = {seed = [], alpha = []}\n'
    ).replace("[]", str(list(range(300))))
    assert "units of all experiments = 90000: allowed are integers up to 10000" in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f"a = 1\nx = {'[' * 500}{']' * 500}\n", "2: lists or tables are nested too deep"),
        (f"a = 1\nx = {'{a=' * 500}1{'}' * 500}\n", "2: lists or tables are nested too deep"),
        (f"a = 1\nx = 1{'0' * 5000}\n", "2: an integer has too many digits for 64 bits"),
        (b"a = 1\nb = 2\nc = '\xff'\n", "3: not UTF-8: invalid start byte 0xff"),
        (b"a = 1\nb = \x00\n", "2: not valid TOML"),
        (b"\xff\xfea\x00", "1: not UTF-8"),
        ("#" * 300_000, " larger than 262144 bytes"),
        ('"a\\u001b[2J" = 1\n' + GOOD, "1: a\\x1b[2J: unknown key"),
        ("", "1: name: missing"),
    ],
)
def test_a_file_that_breaks_its_parser_is_one_line(tmp_path, content, says):
    text = refused(tmp_path, content)
    assert says in text and text.isprintable()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("test = {min = 64, max = 128}\n", "", "test: missing"),
        ("timeout_seconds = 60\n", "", "timeout_seconds: missing"),
        ("epsilons =", "epsilon =", "epsilon: unknown key 'epsilon': did you mean 'epsilons'?"),
        ('summary = "a test"\n', "", "summary: missing"),
        ('family = "squares"\n', "", "target.family: missing"),
        ("scale =", "scal =", "run.sizes.scal: unknown key 'scal': did you mean 'scale'?"),
    ],
)
def test_a_missing_key_is_not_blamed_on_another_that_is_right(tmp_path, old, new, says):
    assert old in GOOD
    assert says in refused(tmp_path, GOOD.replace(old, new, 1))


def test_a_byte_order_mark_is_read_over(tmp_path):
    (tmp_path / "s.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load_suite(str(tmp_path / "s.toml")).name == "s"


def test_separators_that_are_no_line_ends_in_toml_do_not_shift_lines(tmp_path):
    text = GOOD.replace('"a test"', '"a\u2028b\u2029c"').replace("replicates = 4", "replicates = 0")
    assert refused(tmp_path, text).startswith("3: replicates = 0")


@pytest.mark.parametrize("path", ["a\0.toml", "gone.toml", "x" * 5000 + ".toml"])
def test_a_path_that_cannot_be_opened(path):
    with pytest.raises(UserError, match="cannot be read"):
        load_suite(path)


@pytest.mark.parametrize(
    "text", ["1" + "0" * 5000, HUGE, "[" * 500 + "]" * 500, "1e400", "nan", "[0.1, inf]"]
)
def test_set_takes_no_number_without_bounds(text):
    with pytest.raises(UserError, match=r"^value of --set = .*: allowed are integers of 64 bits, finite"):
        parse_value(text)


def test_set_is_checked_as_the_file_is(tmp_path):
    (tmp_path / "s.toml").write_text(GOOD)
    suite = load_suite(str(tmp_path / "s.toml"))
    for setting, says in (
        (f"krr_polynomial.offset={LARGEST_INTEGER}", "numbers of size up to 1e+12"),
        ("sq.depth=99999", "allowed are integers from 2 to 4"),
        (f"sq.inputs={'x' * 5000}", "texts of at most 1000 characters"),
    ):
        with pytest.raises(UserError, match=re.escape(says)):
            choose(suite, settings=[setting])


def test_more_workers_than_a_machine_bears_are_refused(monkeypatch):
    assert limits.workers_allowed(2) == 16 and limits.workers_allowed(64) == 256
    monkeypatch.setattr(runner, "missing", lambda *_: [])
    with pytest.raises(UserError, match=r"--workers = 1000000: allowed are integers from 1 to \d+ on this"):
        runner.run(None, None, None, workers=10**6)
