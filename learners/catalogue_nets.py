"""Nets trained by SGD, as static descriptors."""

from __future__ import annotations

from learners.base import Descriptor

_ALLEN_ZHU_LI = "Allen-Zhu & Li, arXiv 2001.04413"
_SGD = frozenset({"fit_curves", "level_features", "traces", "sampler"})

DESCRIPTORS = (
    Descriptor(
        name="densenet",
        path="learners.densenet:DenseNetRegressor",
        summary="deep quadratic DenseNet, all layers together from the first step",
        learns="hierarchy",
        source=_ALLEN_ZHU_LI,
        cost="steps x batch x (d + L width) x width, for each net",
        capabilities=_SGD,
        knows_depth="depth",
        dtype="float32",
    ),
    Descriptor(
        name="layerwise",
        path="learners.layerwise:LayerwiseDenseNetRegressor",
        summary="the same net layer by layer: BFC-x, lower layers frozen at x = 0",
        learns="hierarchy",
        source="Belilovsky et al., arXiv 1812.11446; BFC-x after " + _ALLEN_ZHU_LI,
        cost="L phases x steps x batch x (d + L width) x width, for each net",
        capabilities=_SGD,
        knows_depth="depth",
        dtype="float32",
    ),
    Descriptor(
        name="two_layer",
        path="learners.two_layer:TwoLayerRegressor",
        summary="two-layer net of generous width: z^degree (the target's) or ReLU activation",
        learns="adaptive features",
        source=_ALLEN_ZHU_LI + ", section on shallow nets",
        cost="steps x batch x d x width, for each net and rate or decay tried",
        capabilities=_SGD,
        knows_degree="degree",
        dtype="float32",
    ),
    Descriptor(
        name="algorithm1",
        path="learners.algorithm1:Algorithm1Regressor",
        summary="narrow and wide halves tied by distillation, levels on at loss plateaus, none ever frozen",
        learns="hierarchy",
        source=_ALLEN_ZHU_LI + ", Algorithm 1",
        cost="steps x batch x L d^2 x (width + d), for each net",
        capabilities=_SGD,
        knows_depth="depth",
        dtype="float32",
    ),
)
