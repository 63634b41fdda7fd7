"""One network, cut to half of its MACs: `python -m experiments.studies.peak_memory.one_network`.

NAME stands behind it; its last line is JSON. Every network has a process of its own, whose memory
nothing else has touched.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import amc
from amc.costs import COSTS, Limits, Macs, Memory
from amc.costs.latency import in_blocks
from amc.export import onnx_model
from amc.granularity import CHANNELS
from amc.modules import Inputs, first_call, tensors, with_samples
from amc.policy import Budget
from amc.rules import uniform
from amc.surgery import cut
from experiments.studies.allocator import peak_bytes
from experiments.studies.architectures.networks import NETWORKS

HALF = 0.5
STATUS, REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def sizes(name: str) -> Iterator[dict[str, Any]]:
    """Bytes as counted and as taken, of the network as it came and of the smaller one."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model, inputs = NETWORKS[name].build()
    model.eval()
    graph = amc.trace(model, inputs)
    one = with_samples(first_call(inputs), 1)
    limits = Limits.of(graph, [Budget("macs", HALF)], COSTS, in_blocks(graph, CHANNELS.rounding()))
    for kept in (graph.full, uniform(limits)):
        network = cut(model, graph, tuple(tuple(range(count)) for count in kept)).eval()
        stored = [*network.parameters(), *network.buffers()]
        weights = sum(tensor.nbytes for tensor in {id(one): one for one in stored}.values())
        read = sum(tensor.nbytes for tensor in tensors(one))
        yield {
            "macs": Macs(graph)(kept) / Macs(graph)(graph.full),
            "weights": weights,
            "said": float(Memory(graph, 1)(kept)),
            "torch": weights + read + peak_bytes(network, one),
            "onnxruntime": weights + read + resident(network, one),
        }


def resident(network: nn.Module, inputs: Inputs) -> int:
    """Bytes by which the first pass of onnxruntime raises the peak of what is resident."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # The arena asks for what it needs, and not for the next power of two.
    provider = ("CPUExecutionProvider", {"arena_extend_strategy": "kSameAsRequested"})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        path.write_bytes(onnx_model(network, inputs).SerializeToString())
        session = onnxruntime.InferenceSession(str(path), options, [provider])
    given: list[Tensor] = tensors(inputs)
    feeds = {item.name: one.numpy() for item, one in zip(session.get_inputs(), given, strict=True)}
    REFS.write_text("5")  # The peak begins anew here.
    before = _kilobytes("VmRSS")
    session.run(None, feeds)
    return 1024 * (_kilobytes("VmHWM") - before)


def _kilobytes(what: str) -> int:
    found = re.search(rf"^{what}:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def main(words: list[str]) -> int:
    """Measure the network that is named."""
    print(json.dumps({"sizes": list(sizes(words[0]))}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
