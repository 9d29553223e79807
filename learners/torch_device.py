"""Where learners that compute with torch put their tensors."""

from __future__ import annotations

from typing import Any

import torch

from hierbench.checks import one_of


def torch_device(name: str, value: Any) -> str:
    """Return the device that tensors are put on.

    Raises
    ------
    ValueError
        It is none, or torch does not see it.
    """
    if value == "cpu":  # without asking the driver
        return "cpu"
    cards = [f"cuda:{k}" for k in range(torch.cuda.device_count())]
    return one_of(name, value, ["cpu", *(["cuda", *cards] if cards else [])])
