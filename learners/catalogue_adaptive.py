"""Rivals that adapt their features without SGD, as static descriptors."""

from __future__ import annotations

from learners.base import Descriptor

DESCRIPTORS: tuple[Descriptor, ...] = ()
