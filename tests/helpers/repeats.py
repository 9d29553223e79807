"""Which registered learners repeat others: make test leaves out what it has seen before."""

from hierbench.learners.registry import LEARNERS, load

OF_CLASSES = set({LEARNERS[name].path: name for name in reversed(LEARNERS)}.values())
"""The first name of each class; the others set parameters of it."""
OF_WAYS = set({load(LEARNERS[name].path).fit: name for name in reversed(LEARNERS)}.values())
"""The first name of each way to fit; the other classes inherit one."""
