"""The criteria by their short names: one that is written in a file beside this is named here."""

from __future__ import annotations

from amc.criteria.base import Criterion
from amc.criteria.chance import chance
from amc.criteria.gradients import hessian, taylor
from amc.criteria.magnitude import lp
from amc.criteria.norms import bn_scale
from amc.criteria.regression import regression
from amc.parsing import look_up

CRITERIA: dict[str, Criterion] = {
    "l1": lp(1),
    "l2": lp(2),
    "lp": lp(),
    "bn-scale": bn_scale(),
    "taylor": taylor(),
    "hessian": hessian(),
    "regression": regression(),
    "random": chance(),
}
"""Short names on the command line and in policies."""


def criterion(name: str) -> Criterion:
    """The criterion of that name.

    Args:
        name: A key of `CRITERIA`, or `lp:P` for a p of one's own, as in `lp:0.5`.

    Raises:
        LookupError: if there is no such criterion.
        ValueError: if p is not a number from 0.1 to 10.
    """
    short, colon, power = name.partition(":")
    if short != "lp" or not colon:
        return look_up(CRITERIA, name, "criterion")
    try:
        return lp(float(power))
    except ValueError:
        raise ValueError(
            f"criterion {name!r}: p must be a number from 0.1 to 10, as in lp:0.5"
        ) from None
