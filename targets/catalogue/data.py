"""Targets made of data, as static descriptors."""

from __future__ import annotations

from hierbench.targets.catalogue.spec import FamilySpec

_REFUSED = dict.fromkeys(
    ("gaussian", "mixture", "cube", "sphere", "hypercube"), "the inputs are those of the data"
)
_UNKNOWN = "unknown"

SPECS: tuple[FamilySpec, ...] = (
    FamilySpec(
        name="mnist1d",
        path="hierbench.targets.data.mnist1d:Mnist1d",
        summary="MNIST-1D: ten digits as signals of 40 numbers, fresh ones without end or the published set",
        formula="(x, class): a drawing padded, stretched, moved round, sheared, in noise, at 40 points",
        source="Greydanus & Kobak, Scaling down deep learning with MNIST-1D, arXiv 2011.14439",
        degree=_UNKNOWN,
        refused_inputs=_REFUSED,
        modifiers=False,
    ),
    FamilySpec(
        name="digits",
        path="hierbench.targets.data.digits:Digits",
        summary="handwritten digits of 8 x 8 pixels that come with scikit-learn: 1437, and 360 for tests",
        formula="(x, class), one of 1797 images, standardised by one mean and one standard deviation",
        source="Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998",
        degree=_UNKNOWN,
        refused_inputs=_REFUSED,
        modifiers=False,
    ),
    FamilySpec(
        name="cifar10",
        path="hierbench.targets.data.cifar10:Cifar10",
        summary="CIFAR-10 from a folder of yours (HIERBENCH_DATA): 50 000 images, and 10 000 for tests",
        formula="(x, class), one of 60 000 images of 3 x 32 x 32 pixels, standardised channel by channel",
        source="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
        degree=_UNKNOWN,
        refused_inputs=_REFUSED,
        modifiers=False,
    ),
    FamilySpec(
        name="idx",
        path="hierbench.targets.data.idx:Idx",
        summary="MNIST, Fashion-MNIST and others in their format, from a folder of yours (HIERBENCH_DATA)",
        formula="(x, class), one of the images, standardised by one mean and one standard deviation",
        source="LeCun, Cortes & Burges, The MNIST database of handwritten digits, 1998",
        degree=_UNKNOWN,
        refused_inputs=_REFUSED,
        modifiers=False,
    ),
)
