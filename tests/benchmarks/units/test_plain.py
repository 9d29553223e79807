"""Foreign texts and values in what the store and a terminal can hold."""

from __future__ import annotations

import pytest

from hierbench.benchmarks.units.plain import LONGEST_LINE, one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\t c", "a b c"),
        ("\x1b[31mred\x1b[0m\x07", "red"),
        ("a \udc80 b", "a ? b"),
        ("x" * 500, "x" * 500),
        ("x" * 3_000_000, "x" * 475 + " ... (3000000 characters)"),
    ],
)
def test_a_text_is_one_line_and_the_same_when_it_crosses_again(text, line):
    assert one_line(text) == line == one_line(one_line(text))
    assert len(line) <= LONGEST_LINE
