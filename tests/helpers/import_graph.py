"""Which module imports which, read from the sources: nothing is imported."""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

HOMES = ("benchmarks", "learners", "plots", "targets")
ROOT_PACKAGE = "benchmarks/package"
NOT_PACKAGED = ("benchmarks/speed", "benchmarks/packaging", ROOT_PACKAGE)


def modules(root: Path) -> dict[str, Path]:
    """Every module of the package by its name, with its source."""
    found = {"hierbench": root / ROOT_PACKAGE / "__init__.py"}
    for path in (root / ROOT_PACKAGE).glob("[!_]*.py"):
        found[f"hierbench.{path.stem}"] = path
    for folder in HOMES:
        for path in sorted((root / folder).rglob("*.py")):
            inside = path.relative_to(root)
            if any(inside.is_relative_to(out) for out in NOT_PACKAGED):
                continue
            parts = list(inside.with_suffix("").parts)
            if parts[-1] == "__init__":
                parts.pop()
            found[".".join(["hierbench", *parts])] = path
    return found


@functools.cache
def nodes(source: str) -> tuple[ast.AST, ...]:
    """Every node of a source; the rules read each source several times."""
    return tuple(ast.walk(ast.parse(source)))


def imports(name: str, source: str, known: Iterable[str]) -> Iterator[tuple[str, str, ast.stmt]]:
    """(module, name taken from it or "", statement) for every import of ours, functions included."""
    known = set(known)
    for node in nodes(source):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in known:
                    yield alias.name, "", node
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                raise AssertionError(f"{name}: relative import: imports are absolute here")
            for alias in node.names:
                if f"{base}.{alias.name}" in known:
                    yield f"{base}.{alias.name}", "", node
                elif base in known:
                    yield base, alias.name, node


def graph(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Modules that each module imports, anywhere in its source."""
    return {
        name: {to for to, _, _ in imports(name, text, sources)} - {name} for name, text in sources.items()
    }


def rooms(edges: Mapping[str, set[str]], packages: Iterable[str]) -> dict[str, set[str]]:
    """The same between sub-packages; a file at the top of one of the four folders is a room of its own."""
    packages = set(packages)

    def room(module: str) -> str:
        parent = module.rpartition(".")[0]
        return parent if parent in packages and parent.count(".") > 1 else module

    between: dict[str, set[str]] = {}
    for name, targets in edges.items():
        between.setdefault(room(name), set()).update({room(target) for target in targets} - {room(name)})
    return between


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one node (Tarjan, SIAM J. Comput. 1, 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for following in sorted(edges.get(node, ())):
            if following not in index:
                visit(following)
                low[node] = min(low[node], low[following])
            elif following in stack:
                low[node] = min(low[node], index[following])
        if low[node] == index[node]:
            component = []
            while True:
                component.append(stack.pop())
                if component[-1] == node:
                    break
            if len(component) > 1:
                found.append(sorted(component))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


def nested_imports(source: str) -> Iterator[ast.stmt]:
    """First import statement inside every function that has one."""
    for outer in nodes(source):
        if isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inside = [n for n in ast.walk(outer) if isinstance(n, (ast.Import, ast.ImportFrom))]
            yield from sorted(inside, key=lambda n: n.lineno)[:1]


@functools.cache
def comment_lines(source: str) -> set[int]:
    """Lines that hold a comment."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0] for t in tokens if t.type == tokenize.COMMENT}


def explained(statement: ast.stmt, source: str) -> bool:
    """Whether a comment stands on an import, or above the run of imports that it belongs to."""
    lines, comments = source.splitlines(), comment_lines(source)
    if any(line in comments for line in range(statement.lineno, (statement.end_lineno or 0) + 1)):
        return True
    above = statement.lineno - 1
    while above and re.match(r"\s*(from|import|\)|[\w ,]+,?$)", lines[above - 1]):
        if above in comments:
            return True
        above -= 1
    return above in comments


def named_modules(source: str) -> Iterator[tuple[int, str, str]]:
    """(line, module, attribute or "") for every text that names a module of ours."""
    for node in nodes(source):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            match = re.fullmatch(
                rf"(hierbench\.(?:{'|'.join(HOMES)})(?:\.[a-z_0-9]+)*)(?::(\w+))?", node.value
            )
            if match:
                yield node.lineno, match[1], match[2] or ""


def code_lines(source: str) -> int:
    """Lines that hold code: no blank line, comment or docstring."""
    kept: set[int] = set()
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (*skipped, tokenize.ENDMARKER):
            kept.update(range(token.start[0], token.end[0] + 1))
    for node in nodes(source):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            kept.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(kept)
