"""Polynomial targets of the learning-theory literature, as static descriptors."""

from __future__ import annotations

from targets.spec import FamilySpec

SPECS: tuple[FamilySpec, ...] = ()
