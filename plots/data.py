"""What figures are made of: plain values, filled in from stored rows by whoever has them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class CurvePoint:
    """Test error of one replicate at one size; ``status`` as in the stored row."""

    learner: str
    target: str
    d: int
    replicate: tuple[int, int, int]
    n: int
    error: float | None
    status: str


@dataclasses.dataclass(frozen=True)
class FixedPoint:
    """Test error of one replicate at a size that a suite declares: ``n = 1000``, or ``n = 16 d^2``."""

    size: str
    point: CurvePoint


@dataclasses.dataclass(frozen=True)
class NStarPoint:
    """n* of one learner at one d and epsilon, over replicates.

    ``censoring`` is "bracketed", "right" (``value`` is a lower bound) or "left" (an upper
    bound); ``low`` may be 0 and ``high`` infinite.
    """

    learner: str
    target: str
    d: int
    epsilon: str
    value: float
    low: float
    high: float
    censoring: str


@dataclasses.dataclass(frozen=True)
class ExponentLine:
    """Exponent of n* in d as printed in a legend, and the fitted line where there is one."""

    learner: str
    target: str
    epsilon: str
    text: str
    slope: float | None
    intercept: float | None


@dataclasses.dataclass(frozen=True)
class EpsilonPanel:
    """A panel of the n* figure: an epsilon and what it asks for ("degree 4")."""

    target: str
    epsilon: str
    asks_for: str


@dataclasses.dataclass(frozen=True)
class ParameterCount:
    """Free parameters of a target function."""

    target: str
    d: int
    count: int


@dataclasses.dataclass(frozen=True)
class ErrorMetric:
    """What the errors on a target are: "relative MSE" or "misclassification"."""

    target: str
    metric: str


@dataclasses.dataclass(frozen=True)
class KernelFloor:
    """Predicted floor under the error of every rotation-invariant kernel at one d.

    Attributes
    ----------
    steps : tuple of (n, floor)
        Increasing in n: from n samples on, up to the next step, the error is at least floor.
    """

    target: str
    d: int
    steps: tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True)
class Growth:
    """Exponent of n* in d of one learner at one degree of the target.

    Attributes
    ----------
    kind : str
        "estimate": ``value`` in [low, high]; "lower bound": ``low`` only.
    in_polynomials : str
        Slope of log n* in log N_p with its interval; N_p is the dimension of the polynomials of the degree
        that epsilon asks for. "" where there is none.
    """

    learner: str
    kind: str
    value: float | None
    low: float
    high: float
    in_polynomials: str

    @property
    def shown(self) -> float:
        """The estimate, or the bound."""
        return self.low if self.value is None else self.value


@dataclasses.dataclass(frozen=True)
class DegreePanel:
    """How n* grows at one degree of the target, and what it is at the d at which most learners were run.

    Attributes
    ----------
    epsilon, asks_for : str
        The error that counts as success, and the degree that it asks for.
    defined : tuple of int
        Drawn targets on which this error is defined, and all that were drawn: it is not where hardly any
        variance is of so high a degree.
    setting : str
        "k = 2" where the target's width k is not that of the target of the lowest degree; otherwise "".
    d : int
        Where the ``n_stars`` are from: all were measured there that can be.
    polynomials, rotations : float
        N_p, of the degree p that epsilon asks for, and d (d - 1) / 2 at this d.
    polynomial_exponent : float or None
        Slope of log N_p in log d over the d at which kernels were run (all d, where none was).
    """

    target: str
    degree: int
    epsilon: str
    asks_for: str
    defined: tuple[int, int]
    setting: str
    growths: tuple[Growth, ...]
    d: int
    n_stars: tuple[NStarPoint, ...]
    polynomials: float
    rotations: float
    polynomial_exponent: float | None


@dataclasses.dataclass(frozen=True)
class RatioCell:
    """Ratio of two n* at one alpha and width.

    Attributes
    ----------
    log2_ratio : float or None
        Its logarithm, or that of a bound on it; None where neither learner gets there.
    text : str
        The ratio as printed: "2.1", "> 3.4", "< 0.8".
    apart : bool
        Whether the two learners are told apart.
    """

    alpha: float
    width: int
    log2_ratio: float | None
    text: str
    apart: bool


@dataclasses.dataclass(frozen=True)
class PhaseDiagram:
    """n* of layer-wise over joint training at one d, a cell for each alpha and width.

    ``target`` is the first of the targets, of which ``family`` is the family.
    """

    target: str
    family: str
    d: int
    epsilon: str
    cells: tuple[RatioCell, ...]


@dataclasses.dataclass(frozen=True)
class Provenance:
    """Where the rows of a figure came from; no date, so that equal rows give equal files.

    Attributes
    ----------
    source : str
        The store, or what else the rows are read from.
    code : tuple of str
        Fingerprints of the code that computed the rows.
    version : str
        Of hierbench.
    reference : str
        Where the rows come from that are in no store, if there are any.
    """

    suite: str
    source: str
    n_rows: int
    code: tuple[str, ...]
    version: str
    reference: str = ""

    def sentence(self) -> str:
        """All but the fingerprints in one line."""
        return (
            f"hierbench {self.version}; suite {self.suite}; {self.source}; {self.n_rows} rows; "
            f"{len(self.code)} code fingerprints"
            + (f"; beside them reference results, {self.reference}" if self.reference else "")
        )


@dataclasses.dataclass(frozen=True)
class FigureData:
    """Everything that the figures of one suite show.

    ``learners`` fixes colours and markers: the same learner looks the same in all figures.
    ``fixed`` has the errors at declared sizes, which are no points of ``curves``.
    ``predictions`` are points of theory, not rows: the error expected of a learner at the same n.
    ``families`` has that of each learner, ``family_order`` fixes their colours, ``success`` has the
    epsilon at which each target counts as learned, and ``reference`` the learners of reference results.
    ``degrees`` has for the first target of each class of targets that differ in depth those of all degrees.
    """

    learners: tuple[str, ...]
    targets: tuple[str, ...]
    curves: tuple[CurvePoint, ...]
    n_stars: tuple[NStarPoint, ...]
    exponents: tuple[ExponentLine, ...]
    panels: tuple[EpsilonPanel, ...]
    parameter_counts: tuple[ParameterCount, ...]
    metrics: tuple[ErrorMetric, ...]
    kernel_floors: tuple[KernelFloor, ...]
    provenance: Provenance
    predictions: tuple[CurvePoint, ...] = ()
    fixed: tuple[FixedPoint, ...] = ()
    families: Mapping[str, str] = dataclasses.field(default_factory=dict)
    family_order: tuple[str, ...] = ()
    success: Mapping[str, str] = dataclasses.field(default_factory=dict)
    reference: frozenset[str] = frozenset()
    degrees: Mapping[str, tuple[DegreePanel, ...]] = dataclasses.field(default_factory=dict)
    phases: tuple[PhaseDiagram, ...] = ()

    @property
    def greyed(self) -> frozenset[str]:
        """Learners and families that stand behind others: those of reference results alone."""
        if self.reference.issuperset(self.learners):
            return frozenset()
        own = {self.families.get(name) for name in self.learners if name not in self.reference}
        return self.reference | (set(self.families.values()) - own)


@dataclasses.dataclass(frozen=True)
class Measured:
    """One record of an experiment of a suite: its label there, what was measured, and the numbers."""

    experiment: str
    labels: Mapping[str, str | int | float | bool]
    values: Mapping[str, float | list[float] | None]
