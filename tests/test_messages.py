"""Messages about bad input are one line, whatever was given."""

import pytest

from hierbench.errors import LONGEST_SHOWN, refusal, shown, unknown


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (3, "3"),
        ("a\nb", "'a\\nb'"),
        (10**5000, "an integer of 16610 bits"),
        ([10**5000], "a list too large"),
        ("x" * 10**6, "'" + "x" * (LONGEST_SHOWN - 4) + "..."),
    ],
    ids=["integer", "line end", "huge integer", "huge integer in a list", "long text"],
)
def test_a_value_as_it_is_shown(value, says):
    assert shown(value) == says
    assert refusal("n", value, "integers from 1") == f"n = {says}: allowed are integers from 1"


def test_lists_in_lists_without_end():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep) == "a list too large"


def test_names_that_a_user_made_up():
    assert refusal("a\x1b[2J\n", 1, "a text") == "a\\x1b[2J\\n = 1: allowed is a text"
    text = unknown("key\n", "x" * 10**6, ["a\0b", "c"])
    assert text.startswith("unknown key\\n 'xxx") and text.endswith("...: known are a\\x00b, c")
    assert len(text) < 300
