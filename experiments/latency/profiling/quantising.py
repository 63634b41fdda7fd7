"""Models in 8-bit integers, as onnxruntime's own static quantisation makes them."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from experiments.latency import clock

Feeds = Mapping[str, NDArray[Any]]
"""Inputs of a pass, by name."""

VNNI = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
"""Instructions that add products of 8-bit integers without loss; where there are none, weights are
of 7 bits, as onnxruntime advises (its page on quantisation, "Reduce Range")."""


def quantised(model: onnx.ModelProto, samples: Iterable[Feeds]) -> bytes:
    """The model with activations of 8 bits, and weights of 8 for each channel.

    Args:
        model: In 32-bit floats.
        samples: That tell the ranges of activations, between the smallest and the largest of each.

    Raises:
        ImportError: without onnxruntime.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, _quiet():
        source, fused, path = (Path(folder) / f"{name}.onnx" for name in ("as", "fused", "made"))
        source.write_bytes(model.SerializeToString())
        # A norm between a convolution and what follows would compute in floats.
        quant_pre_process(source, fused, skip_symbolic_shape=True)
        quantize_static(
            fused,
            path,
            _Reader(samples),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=not _adds_bytes(),
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return path.read_bytes()


class _Reader:
    """What onnxruntime asks for one pass after the other."""

    def __init__(self, samples: Iterable[Feeds]) -> None:
        self._samples = iter(samples)

    def get_next(self) -> Feeds | None:
        """The next, and None behind the last."""
        return next(self._samples, None)


def _adds_bytes() -> bool:
    here = clock.device("onnxruntime", 1)["instructions"].split()
    return any(word in here for word in VNNI)


def noise(model: onnx.ModelProto) -> Feeds:
    """Inputs for a model whose time is asked for, and not what it computes."""
    chance = np.random.default_rng(0)
    found: dict[str, NDArray[Any]] = {}
    for item in model.graph.input:
        kind = item.type.tensor_type
        shape = tuple(size.dim_value for size in kind.shape.dim)
        if kind.elem_type == TensorProto.FLOAT:
            found[item.name] = chance.standard_normal(shape).astype(np.float32)
        else:  # An index that every table has.
            found[item.name] = np.ones(shape, onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    return found


ERRORS, WARNINGS = 3, 2
"""What onnxruntime logs, by its own numbers; warnings are what it begins with."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Without advice."""
    import onnxruntime

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(ERRORS)
    try:
        yield
    finally:
        logging.disable(before)
        onnxruntime.set_default_logger_severity(WARNINGS)
