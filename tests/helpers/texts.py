"""Commands, links and headings in the project's Markdown, for the tests that hold texts to the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", flags=re.M | re.S)
IN_A_BLOCK = re.compile(r"^\s*(?:\$ )?(?:\.venv/bin/)?hierbench +([^#\n]+)", flags=re.M)
IN_A_SENTENCE = re.compile(r"`(?:\.venv/bin/)?hierbench\s+([^`]+)`")


def blocks(text: str, language: str) -> list[str]:
    """Fenced blocks of a language."""
    return [body for of, body in FENCE.findall(text) if of == language]


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return FENCE.sub("", text)


def commands(text: str) -> list[list[str]]:
    """Arguments of every call of hierbench: in fenced and in indented blocks, and in running text."""
    fenced = "\n".join(body for of, body in FENCE.findall(text) if of != "python")
    indented = "\n".join(re.findall(r"^(?:    |\t).*$", prose(text), flags=re.M))
    calls = [call for block in (fenced, indented) for call in IN_A_BLOCK.findall(block)]
    return [shlex.split(call) for call in calls + IN_A_SENTENCE.findall(text)]


def links(text: str) -> list[str]:
    """Targets of links and pictures that lead to no other site."""
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(text)) if "://" not in link]


def anchors(text: str) -> set[str]:
    """What a link to a heading ends in, as GitHub makes it from the heading."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(text), flags=re.M)
    slugs: list[str] = []
    for heading in headings:
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("\\", "").lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        slugs.append(f"{slug}-{slugs.count(slug)}" if slug in slugs else slug)
    return set(slugs)


def dead(path: Path) -> list[str]:
    """Links of a file that lead nowhere: to no file, or to no heading in it."""
    text = path.read_text(encoding="utf-8")
    wrong = []
    for link in links(text):
        name, _, anchor = link.partition("#")
        place = path.parent / name if name else path
        if not place.exists():
            wrong.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(place.read_text(encoding="utf-8")):
            wrong.append(f"{link}: no such heading")
    return wrong
