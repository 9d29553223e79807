"""The Random Hierarchy Model: labels of sentences of a random grammar."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from hierbench.checks import integer, one_of
from hierbench.errors import refusal
from hierbench.targets.base import Certificate, Estimate, Size, Target, rows_of
from hierbench.targets.certificates.sentences import degree_shares
from hierbench.targets.laws.weights import stream

TASKS = ("scores", "classification")
MAX_TUPLES = 2**20
"""Largest v^s: the parser keeps a table of all tuples."""

MAX_DEPTH = 14
"""Of tuples of two symbols at the largest dimension there is."""
MAX_SENTENCES = 2**16
"""Up to here all sentences are listed for the shares of variance by degree."""

_RULES = 2010  # streams of its own, one a level
_CHUNK = 2**14
_REFUSED = "the inputs are the sentences of the grammar, one-hot encoded"


@dataclasses.dataclass(frozen=True)
class RandomHierarchy(Target):
    r"""Random Hierarchy Model: a class spells out, level by level, a sentence of s^L leaves.

    ::

        class c ~ uniform on n_c;   symbol -> one of its m tuples of s symbols of the level below
                                    (its synonyms), uniform, independently at each place; L times
        x = one-hot blocks of the s^L leaves, (e_symbol - 1/v) / sqrt((1/v)(1 - 1/v))
        y = (c - mean) / sd, c = 0..n_c-1;     d = v s^L,   degree s^L in the leaves

    The rules of a level are the same at all places and drawn once, from the seed: n m distinct
    tuples (n = n_c at the top, v below), shared out at random, m to a symbol. No tuple belongs
    to two symbols, so that every sentence has one class. With m = v^(s-1) and n_c = v every
    string of leaves is a sentence, and the leaves are independent and uniform.

    A block is sqrt(v - 1) at its symbol and -1/sqrt(v - 1) elsewhere: where leaves are uniform
    every input has mean 0 and variance 1, and |x|^2 = d always.

    Labels are evenly spaced scores of mean 0 and variance 1, as regression ("scores") or as the
    values of a classification target (-1 and 1 for two classes). Hidden features are the
    symbols of each level above the leaves, one-hot, from the bottom to the class.

    ``degree`` is s^L: any function of s^L leaves is a polynomial of that degree in the one-hot
    inputs. A drawn grammar may need less; the certificate's shares say so while all sentences
    can be listed (2^16 at most; fewer where they are not all strings), and are empty past that.
    Shares by level, their covariance, contamination and condition numbers have no meaning here,
    and are empty.

    Source: Cagnetta, Petrini, Tomasini, Favero & Wyart, "How Deep Neural Networks Learn
    Compositional Data: The Random Hierarchy Model", Phys. Rev. X 14, 031001, 2024,
    arXiv 2307.02129.

    Raises
    ------
    ValueError
        On inconsistent parameters.
    """

    refused_inputs: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("gaussian", "mixture", "cube", "sphere", "hypercube"), _REFUSED
    )

    d: int
    """input dimension, v s^L for some L >= 1"""
    seed: int
    """of the rules. Equal seeds share the rules of lower levels at every depth"""
    vocabulary: int = 4
    """v, symbols of each level, from 2"""
    synonyms: int = 4
    """m, tuples of each symbol, 1 to v^(s-1)"""
    branching: int = 2
    """s, length of a tuple, from 2"""
    n_classes: int = 4
    """n_c, from 2; n_c m <= v^s"""
    depth: int | None = None
    """L; None for the one of d = v s^L"""
    task: str = "scores"
    """scores (regression) or classification, of the same values"""

    def __post_init__(self) -> None:
        for name, minimum in (
            ("d", 1),
            ("seed", 0),
            ("vocabulary", 2),
            ("synonyms", 1),
            ("branching", 2),
            ("n_classes", 2),
        ):
            object.__setattr__(self, name, integer(name, getattr(self, name), minimum))
        one_of("task", self.task, TASKS)
        v, m, s = self.vocabulary, self.synonyms, self.branching
        depth = self._depth_from_d()
        if self.depth is not None and integer("depth", self.depth, 1, MAX_DEPTH) != depth:
            remedy = f"leave it out, or give d = vocabulary * branching^depth = {v * s**self.depth}"
            raise ValueError(refusal("depth", self.depth, f"one value, {depth}, with d = {self.d}", remedy))
        object.__setattr__(self, "depth", depth)
        if v**s > MAX_TUPLES:
            remedy = "there is a table of all tuples"
            raise ValueError(refusal("vocabulary^branching", v**s, f"integers up to {MAX_TUPLES}", remedy))
        if self.n_classes * m > v**s:
            allowed = f"integers up to vocabulary^branching = {v**s}"
            remedy = "tuples are distinct, so that no sentence has two classes"
            raise ValueError(refusal("n_classes * synonyms", self.n_classes * m, allowed, remedy))
        if self.levels > 1 and v * m > v**s:
            allowed = f"integers up to vocabulary^(branching - 1) = {v ** (s - 1)}"
            raise ValueError(refusal("synonyms", m, allowed, "no tuple belongs to two symbols"))

    def _depth_from_d(self) -> int:
        v, s = self.vocabulary, self.branching
        allowed = [v * s]
        while allowed[-1] < self.d:
            allowed.append(allowed[-1] * s)
        if allowed[-1] != self.d:
            nearest = f"next to it {' and '.join(map(str, allowed[-2:]))}"
            law = f"vocabulary * branching^depth = {v} * {s}^depth"
            raise ValueError(refusal("d", self.d, law, nearest))
        return len(allowed)

    @property
    def size(self) -> Size:
        """Tables of tuples and rules, a chunk of sentences, and all sentences where they are listed."""
        tables = float(2 * self.levels * self.vocabulary**self.branching)
        drawn = tables + self.branching * tables / 2 + 4.0 * self.d
        listed = self.n_sentences if self.n_sentences <= MAX_SENTENCES else 0
        return Size(drawn, drawn + 3.0 * listed * self.n_leaves, 1e3 * listed * self.n_leaves)

    @property
    def levels(self) -> int:
        """L."""
        assert self.depth is not None
        return self.depth

    @property
    def n_leaves(self) -> int:
        """s^L."""
        return self.branching**self.levels

    @property
    def degree(self) -> int:
        """s^L: enough for every function of the leaves, and so for every grammar."""
        return self.n_leaves

    @property
    def sample_complexity(self) -> int:
        """n_c m^L: samples that deep nets need, up to a constant, after the source (section IV).

        There the correlations of bottom tuples with the class stand out from sampling noise.
        """
        return self.n_classes * self.synonyms**self.levels

    @property
    def n_sentences(self) -> int:
        """Different inputs: n_c m^((s^L - 1) / (s - 1)), all equally probable."""
        return self.n_classes * self.synonyms**self._nodes

    @property
    def _nodes(self) -> int:
        """Places that a rule is applied at, the class among them."""
        return (self.n_leaves - 1) // (self.branching - 1)

    @property
    def scores(self) -> np.ndarray:
        """Label of each class: even in the class, mean 0, variance 1; shape (n_c,)."""
        n = self.n_classes
        return (2.0 * np.arange(n) - (n - 1.0)) / np.sqrt((n * n - 1.0) / 3.0)

    @property
    def classes(self) -> tuple[float, ...]:
        """Scores of the classes, increasing; empty in regression."""
        return tuple(float(s) for s in self.scores) if self.task == "classification" else ()

    @property
    def nominal(self) -> bool:
        """Whether the task is classification: scores of classes are arbitrary, and the source has none."""
        return self.task == "classification" and self.n_classes > 2

    @property
    def class_probabilities(self) -> tuple[float, ...]:
        """In the order of ``scores``: the law of the class is uniform."""
        return (1.0 / self.n_classes,) * self.n_classes

    @functools.cached_property
    def rules(self) -> tuple[np.ndarray, ...]:
        """Tuples of every symbol, class level first: L arrays (n_c or v, m, s) of symbols."""
        v, m, s = self.vocabulary, self.synonyms, self.branching
        rules = []
        for level in range(self.levels, 0, -1):
            parents = self.n_classes if level == self.levels else v
            rng = stream(self.seed, level, _RULES)
            codes = rng.permutation(v**s)[: parents * m].reshape(parents, m)
            rules.append(codes[:, :, None] // v ** np.arange(s - 1, -1, -1) % v)
        return tuple(rules)

    @functools.cached_property
    def _tables(self) -> tuple[np.ndarray, ...]:
        """Symbol of each tuple, read as a number in base v, or -1; as ``rules``."""
        tables = []
        for rules in self.rules:
            table = np.full(self.vocabulary**self.branching, -1)
            table[self._codes(rules)] = np.arange(len(rules))[:, None]
            tables.append(table)
        return tuple(tables)

    def _codes(self, tuples: np.ndarray) -> np.ndarray:
        return np.asarray(tuples @ self.vocabulary ** np.arange(self.branching - 1, -1, -1))

    def sample_inputs(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Sentences, one-hot, shape (n, d)."""
        top, below = rng.spawn(2)
        X = np.empty((n, self.d))
        for start in range(0, n, _CHUNK):
            rows = min(_CHUNK, n - start)
            choices = below.integers(0, self.synonyms, (rows, self._nodes))
            leaves = self._spelled(top.integers(0, self.n_classes, rows), choices)
            X[start : start + rows] = self._encoded(leaves)
        return X

    def _spelled(self, symbols: np.ndarray, choices: np.ndarray) -> np.ndarray:
        """Leaves of classes (n,) under choices (n, nodes) of synonyms, top down; shape (n, s^L)."""
        symbols = symbols[:, None]
        used = 0
        for rules in self.rules:
            k = symbols.shape[1]
            symbols = rules[symbols, choices[:, used : used + k]].reshape(len(symbols), k * self.branching)
            used += k
        return symbols

    def _encoded(self, leaves: np.ndarray) -> np.ndarray:
        hot = np.sqrt(self.vocabulary - 1.0)
        return np.where(_one_hot(leaves, self.vocabulary) > 0, hot, -1.0 / hot)

    def _parsed(self, X: np.ndarray, first: int) -> list[np.ndarray]:
        """Symbols of each level above the leaves, bottom up; shapes (n, s^(L-1)), ..., (n, 1).

        ``first`` is the number of the first row, for the complaint.

        Raises
        ------
        ValueError
            On the first row that is no sentence.
        """
        blocks = X.reshape(len(X), self.n_leaves, self.vocabulary)
        symbols = blocks.argmax(axis=2)
        # Single-precision copies of sentences are sentences.
        one_hot = np.isclose(X, self._encoded(symbols), rtol=1e-6, atol=0.0)
        _require(one_hot, first, "has a block that is not one-hot")
        levels = []
        for above, table in enumerate(reversed(self._tables), start=1):
            tuples = symbols.reshape(len(X), symbols.shape[1] // self.branching, self.branching)
            symbols = table[self._codes(tuples)]
            _require(symbols >= 0, first, f"has a tuple at level {above} that no rule makes")
            levels.append(symbols)
        return levels

    def _parts(self, X: np.ndarray) -> list[list[np.ndarray]]:
        """Parse chunk after chunk, at least one."""
        X = rows_of(X, self.d)
        return [self._parsed(X[i : i + _CHUNK], i) for i in range(0, max(len(X), 1), _CHUNK)]

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Score of the class that each row spells, shape (n,); ValueError on what is no sentence."""
        return np.concatenate([self.scores[levels[-1][:, 0]] for levels in self._parts(X)])

    def hidden_features(self, X: np.ndarray) -> list[np.ndarray]:
        """Symbols one-hot, shapes (n, s^(L-1) v), ..., (n, s v), (n, n_c): from the bottom to the class."""
        sizes = [self.vocabulary] * (self.levels - 1) + [self.n_classes]
        return [
            np.concatenate([_one_hot(part, size) for part in parts])
            for size, parts in zip(sizes, zip(*self._parts(X), strict=True), strict=True)
        ]

    def sentences(self) -> np.ndarray:
        """Leaves of all sentences, shape (n_sentences, s^L), class after class.

        Raises
        ------
        ValueError
            With more than 2^16 of them.
        """
        if self.n_sentences > MAX_SENTENCES:
            allowed = f"integers up to {MAX_SENTENCES}"
            raise ValueError(refusal("number of sentences to list", self.n_sentences, allowed))
        highs = (self.n_classes, *(self.synonyms,) * self._nodes)
        choices = np.stack(np.unravel_index(np.arange(self.n_sentences), highs), axis=1)
        return self._spelled(choices[:, 0], choices[:, 1:])

    def certificate(self) -> Certificate:
        """Moments and shares; computed once."""
        return self._certificate

    @functools.cached_property
    def _certificate(self) -> Certificate:
        scores = self.scores
        shares = {}
        if self.n_sentences <= MAX_SENTENCES:
            labels = np.repeat(scores, self.n_sentences // self.n_classes)
            shares = degree_shares(self.sentences(), labels, self.vocabulary) or {}
        return Certificate(
            degree=self.degree,
            n_parameters=sum(rules.size for rules in self.rules),
            method="exact",
            mean=Estimate(float(scores.mean())),
            variance=Estimate(float((scores**2).mean())),
            kurtosis=Estimate(float((scores**4).mean())),
            degree_share={p: Estimate(share) for p, share in shares.items()},
            level_share={},
            level_covariance=(),
            contamination={},
            condition_numbers={},
            inputs="random-hierarchy",
            rotation_invariant=False,
            classes=self.classes,
        )


def _one_hot(symbols: np.ndarray, size: int) -> np.ndarray:
    """Shape (n, k) -> (n, k size), of 0 and 1."""
    n, k = symbols.shape
    return np.asarray((symbols[:, :, None] == np.arange(size)).reshape(n, k * size), dtype=np.float64)


def _require(good: np.ndarray, first: int, complaint: str) -> None:
    if not good.all():
        row = first + int(np.flatnonzero(~good.all(axis=1))[0])
        raise ValueError(f"row {row} {complaint}: evaluate sentences drawn by sample_inputs")
