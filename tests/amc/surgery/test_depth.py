"""Whole branches go: which may, what stays in their place, and what every cost says of it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from architectures import ARCHITECTURES, built
from tiny_networks import Wired
from torch import Tensor, nn
from torch.nn import functional as F

import amc
from amc.costs import COSTS, Limits, Macs, Params
from amc.criteria import best_units
from amc.export import onnx_model
from amc.finetuning import Recipe, fit
from amc.granularity import Rounding
from amc.graph import PruningGraph, narrower
from amc.modules.inputs import Inputs, call, tensors
from amc.policy import Budget, Policy, PolicyError
from amc.pruning import Narrowed, Pruner, narrow, policy_of, prune
from amc.rules import project, uniform
from amc.surgery import cut, mask
from amc.tasks import Samples
from experiments.studies.architectures.counting import counted_macs

PICTURES = torch.randn((2, 3, 8, 8), generator=torch.Generator().manual_seed(0))


class Block(nn.Module):
    """relu(bn2(conv2(relu(bn1(conv1(x))))) + x)."""

    def __init__(self, width: int, inner: int, *, in_place: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, inner, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.in_place = in_place

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.in_place:
            out += x
        else:
            out = out + x
        return F.relu(out)


def blocks(*, in_place: bool = False) -> nn.Module:
    body = (Block(6, 4, in_place=in_place), Block(6, 5, in_place=in_place))
    model = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), *body, nn.Flatten(), nn.Linear(384, 4))
    return noisy(model)


def noisy(model: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator) * 0.3
            tensor.copy_(noise.abs() + 0.5 if "var" in name else noise + tensor)
    return model.eval()


def some(graph: PruningGraph, seed: int) -> tuple[tuple[int, ...], ...]:
    """Random units; about half of what may go is gone."""
    random = np.random.default_rng(seed)
    counts = [
        0 if not least and random.random() < 0.5 else int(random.integers(1, units + 1))
        for units, least in zip(graph.full, graph.least, strict=True)
    ]
    kept = graph.settled(counts).tolist()
    return tuple(
        tuple(sorted(random.permutation(units)[:count].tolist()))
        for units, count in zip(graph.full, kept, strict=True)
    )


def apart(model: nn.Module, other: nn.Module, inputs: Inputs) -> float:
    with torch.no_grad():
        pairs = zip(tensors(call(model, inputs)), tensors(call(other, inputs)), strict=True)
        return max(float((one - two).abs().max() / two.abs().max()) for one, two in pairs)


WITH_BRANCHES = [
    "ResNet, basic blocks",
    "ResNet, bottlenecks",
    "ResNet, pre-activation",
    "ResNeXt",
    "MobileNetV2",
    "EfficientNet",
    "ConvNeXt",
    "MLP-Mixer",
]


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("seed", [0, 1])
def test_without_branches_a_network_computes_what_the_masked_one_does(name: str, seed: int) -> None:
    model, inputs = built(name), ARCHITECTURES[name].inputs()
    graph = amc.trace(model, inputs)
    units = some(graph, seed)
    small = cut(model, graph, units)
    assert apart(small, mask(model, graph, units), inputs) < 1e-4
    kept = [len(staying) for staying in units]
    assert Params(graph)(kept) == sum(one.numel() for one in small.parameters())
    assert Macs(graph)(kept) == pytest.approx(counted_macs(small, inputs), rel=1e-9)
    left = narrower(graph, units)
    for make in COSTS.values():
        assert make(left)(left.full) == pytest.approx(make(graph)(kept), rel=1e-12)


@pytest.mark.parametrize("name", WITH_BRANCHES)
def test_residual_networks_have_branches(name: str) -> None:
    graph = amc.trace(built(name), ARCHITECTURES[name].inputs())
    assert graph.branches, name


def test_a_chain_has_none() -> None:
    chain = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.Flatten())
    assert amc.trace(chain, PICTURES).branches == ()
    assert amc.trace(chain, PICTURES).least == (1,)


@pytest.mark.parametrize("in_place", [False, True])
def test_the_constant_that_biases_leave_stays(in_place: bool) -> None:
    model = blocks(in_place=in_place)
    graph = amc.trace(model, PICTURES)
    inner = [at for at, least in enumerate(graph.least) if not least]
    assert [graph.groups[at].name for at in inner] == ["1.conv1", "2.conv1"]
    kept = [0 if at == inner[0] else units for at, units in enumerate(graph.full)]
    small = cut(model, graph, tuple(tuple(range(count)) for count in kept))
    first = model[0](PICTURES)
    norm = model.get_submodule("1.bn2")
    adds = norm.bias - norm.running_mean / (norm.running_var + norm.eps).sqrt() * norm.weight
    wanted = model[2:](F.relu(first + adds[:, None, None]))
    assert torch.allclose(small(PICTURES), wanted, atol=1e-5)
    assert not any(name.startswith("1.conv") for name, _ in small.named_parameters())


def test_a_refit_leaves_the_mean_of_what_the_branch_made() -> None:
    model = blocks()
    graph = amc.trace(model, PICTURES)
    inner = graph.least.index(0)
    pictures = torch.randn((64, 3, 8, 8), generator=torch.Generator().manual_seed(2))
    data = Samples(pictures, torch.zeros(64, dtype=torch.long))
    pruner = Pruner.of(model, graph, "l1", calibration=data, positions=64)
    kept = [0 if at == inner else units for at, units in enumerate(graph.full)]
    small = pruner.network(kept)
    with torch.no_grad():
        made = model.get_submodule("1.bn2")
        seen: list[Tensor] = []
        handle = made.register_forward_hook(lambda module, args, output: seen.append(output))
        model(pictures)
        handle.remove()
    constant = dict(small.named_parameters())["1.constant"]
    assert torch.allclose(constant.flatten(), seen[0].mean((0, 2, 3)), atol=0.1)


def test_what_is_gone_has_no_width_and_costs_nothing_but_its_constant() -> None:
    graph = amc.trace(blocks(), PICTURES)
    (first, second) = [at for at, least in enumerate(graph.least) if not least]
    kept = [0 if at == first else units for at, units in enumerate(graph.full)]
    outputs, inputs = graph.widths(kept)
    gone = {layer.name for layer, n in zip(graph.layers, outputs, strict=True) if not n}
    assert gone == {"1.conv1", "1.bn1", "1.conv2", "1.bn2"}
    assert [n for n, out in zip(inputs, outputs, strict=True) if not out] == [0, 0, 0, 0]
    lost = Params(graph)(graph.full) - Params(graph)(kept)
    # Two convolutions of 4 x 6 filters and two norms go, six numbers come.
    assert lost == 2 * 4 * 6 * 9 + 2 * 4 + 2 * 6 - 6
    assert Macs(graph)(graph.full) - Macs(graph)(kept) == 2 * 4 * 6 * 9 * 64
    assert graph.ratios(kept)[second] == 0


def test_any_group_of_a_branch_ends_it() -> None:
    name = "ResNet, bottlenecks"
    graph = amc.trace(built(name), ARCHITECTURES[name].inputs())
    branch = graph.branches[0]
    assert len(branch.groups) == 2
    for ends in branch.groups:
        kept = [0 if at == ends else units for at, units in enumerate(graph.full)]
        settled = graph.settled(kept)
        assert [at for at, count in enumerate(settled) if not count] == sorted(branch.within)
        assert Params(graph)(kept) == Params(graph)(settled)


def test_a_branch_within_one_that_is_gone_leaves_nothing() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.expand, self.down = nn.Conv2d(6, 9, 1), nn.Conv2d(9, 3, 1)
            self.up, self.project = nn.Conv2d(3, 9, 1), nn.Conv2d(9, 6, 1)

        def forward(self, x: Tensor) -> Tensor:
            made = F.relu(self.expand(x))
            gate = self.up(F.relu(self.down(made.mean((2, 3), keepdim=True)))).sigmoid()
            out: Tensor = self.project(made * gate)
            return out

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Gated()

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = x + self.inner(x)
            return out

    model = noisy(nn.Sequential(nn.Conv2d(3, 6, 3), Outer(), nn.Flatten(), nn.Linear(216, 4)))
    graph = amc.trace(model, PICTURES)
    assert len(graph.branches) == 2
    outer = next(branch for branch in graph.branches if len(branch.within) == 2)
    kept = graph.settled([0 if at in outer.groups else n for at, n in enumerate(graph.full)])
    assert graph.ended(kept).all()
    assert graph.outermost(kept).sum() == 1
    small = cut(model, graph, tuple(tuple(range(count)) for count in kept))
    assert Params(graph)(kept) == sum(one.numel() for one in small.parameters())


def test_a_branch_that_alone_reads_the_inputs_stays() -> None:
    class Joined(nn.Module):
        """A table of its own beside what the pictures give."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 4, 3)
            self.table = nn.Parameter(torch.randn(1, 4, 4, 4))
            self.last = nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.last(self.second(self.first(x)) + self.table)
            return out

    assert amc.trace(noisy(Joined()), PICTURES).branches == ()


def test_a_block_with_attention_that_returns_a_pair() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True)
    model = nn.Sequential(nn.Linear(5, 8), layer, nn.Linear(8, 3))
    inputs = torch.randn(2, 4, 5)
    graph = amc.trace(noisy(model), inputs)
    assert len(graph.branches) == 2
    kept = [0 if not least else units for units, least in zip(graph.full, graph.least, strict=True)]
    units = tuple(tuple(range(count)) for count in kept)
    small = cut(model, graph, units)
    assert apart(small, mask(model, graph, units), inputs) < 1e-5
    names = {type(module).__name__ for module in small.modules()}
    assert "MultiheadAttention" not in names


def test_a_constant_is_trained_further() -> None:
    model = blocks()
    graph = amc.trace(model, PICTURES)
    kept = [0 if not least else units for units, least in zip(graph.full, graph.least, strict=True)]
    small = cut(model, graph, tuple(tuple(range(count)) for count in kept))
    before = copy.deepcopy(dict(small.named_parameters())["1.constant"])
    labels = torch.randint(4, (32,), generator=torch.Generator().manual_seed(0))
    data = Samples(torch.randn((32, 3, 8, 8)), labels)
    fit(small, data, Recipe(lr=0.1, batch_size=16), steps=3)
    assert not torch.equal(before, dict(small.named_parameters())["1.constant"])


def test_a_network_without_branches_is_saved_and_read_back(tmp_path: Path) -> None:
    model = blocks()
    graph = amc.trace(model, PICTURES)
    kept = [0 if not least else units for units, least in zip(graph.full, graph.least, strict=True)]
    policy = policy_of(graph, kept)
    assert Policy.from_json(policy.to_json()) == policy
    small = prune(model, policy, PICTURES)
    amc.save_pruned(small, policy, tmp_path / "small.safetensors")
    again = amc.load_pruned(blocks(), PICTURES, tmp_path / "small.safetensors")
    assert apart(again, small, PICTURES) == 0


def test_onnx_knows_it() -> None:
    model = blocks(in_place=True)
    graph = amc.trace(model, PICTURES)
    kept = [0 if not least else units for units, least in zip(graph.full, graph.least, strict=True)]
    small = cut(model, graph, tuple(tuple(range(count)) for count in kept))
    proto = onnx_model(small, PICTURES)
    assert sum(node.op_type == "Conv" for node in proto.graph.node) == 1
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    (made,) = session.run(None, {session.get_inputs()[0].name: PICTURES.numpy()})
    assert np.allclose(made, small(PICTURES).detach().numpy(), atol=1e-5)


def test_a_policy_that_takes_what_the_network_needs_is_refused() -> None:
    model = blocks()
    graph = amc.trace(model, PICTURES)
    needed = graph.least.index(1)
    kept = [0 if at == needed else units for at, units in enumerate(graph.full)]
    with pytest.raises(PolicyError, match="keeps none of '0', and the network cannot go on"):
        prune(model, policy_of(graph, kept), PICTURES)
    with pytest.raises(ValueError, match="or 0 where the network goes on without"):
        best_units([torch.zeros(units) for units in graph.full], kept, graph.least)


def test_ratios_near_all_take_a_branch_out_and_no_rule_does_unasked() -> None:
    graph = amc.trace(blocks(), PICTURES)
    limits = Limits.of(graph, [Budget("macs", 0.7)], COSTS, Rounding())
    gone = project(limits, [1.0 if not least else 0.1 for least in graph.least], depth=True)
    assert [count == 0 for count in gone] == [not least for least in graph.least]
    assert limits.fits(gone)
    assert min(uniform(limits)) > 0
    assert min(project(limits, [1.0] * len(graph.full))) > 0
    within = Limits.of(graph, [Budget("macs", 0.7)], COSTS, Rounding(depth=False))
    assert min(project(within, [1.0] * len(graph.full), depth=True)) > 0
    assert min(within.smallest) > 0


def test_a_network_that_lost_a_branch_can_be_narrowed_further() -> None:
    model = blocks()
    start = Narrowed.start(model, amc.trace(model, PICTURES))
    inner = start.graph.least.index(0)
    kept = [0 if at == inner else units - 1 for at, units in enumerate(start.kept)]
    once = narrow(start, kept, "l1")
    twice = narrow(once, [max(0, count - 1) for count in kept], "l1")
    assert twice.kept == tuple(max(0, count - 1) for count in kept)
    numbers = sum(one.numel() for one in twice.network.parameters())
    assert Params(twice.graph)(twice.graph.full) == numbers == Params(start.graph)(twice.kept)
    read = Narrowed.unpack(start, twice.pack())
    assert apart(read.network, twice.network, PICTURES) == 0


def test_of_two_towers_one_alone_may_go() -> None:
    model = noisy(
        Wired(
            lambda self, x: self.left(x).mean((2, 3)) + self.right(x).mean((2, 3)),
            left=nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3)),
            right=nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 4, 3)),
        )
    )
    graph = amc.trace(model, PICTURES)
    assert len(graph.branches) == 1
    assert sum(graph.least) == 1


class Stage(nn.Module):
    """Halves the channels and works on one half, as ShuffleNet does; the first block reads all."""

    def __init__(self, read: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        inner = read if stride > 1 else read // 2
        self.own = nn.Sequential(
            nn.Conv2d(inner, 4, 1), nn.ReLU(), nn.Conv2d(4, width, 3, stride, 1)
        )
        if stride > 1:
            self.beside = nn.Conv2d(read, width, 3, stride, 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            return torch.cat((self.beside(x), self.own(x)), 1)
        kept, worked = x.chunk(2, 1)
        return torch.cat((kept, self.own(worked)), 1)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is wrong in every trial of branches from now on; empty where nothing is."""
    from amc.tracing import branch_trials

    told: list[str] = []
    real = branch_trials.fault

    def counting(*args: Any, **kwargs: Any) -> Any:
        found = real(*args, **kwargs)
        told.append(found.reason if found is not None else "")
        return found

    monkeypatch.setattr(branch_trials, "fault", counting)
    return told


def test_branches_whose_outputs_are_joined_go_at_the_first_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = (Stage(6, 5, 2), Stage(10, 5, 1), Stage(10, 5, 1))
    model = noisy(nn.Sequential(nn.Conv2d(3, 6, 1), *body, nn.Flatten(), nn.Linear(160, 4)))
    told = counted(monkeypatch)
    graph = amc.trace(model, PICTURES)
    # What halves the size fills as many places as nobody knows, so the first one stays.
    assert [branch.name for branch in graph.branches] == ["2.own", "3.own"]
    assert {branch.form for branch in graph.branches} == {"filled"}
    assert told == ["", "", ""]
    assert (
        apart(cut(model, graph, _without(graph)), mask(model, graph, _without(graph)), PICTURES)
        < 1e-5
    )


def _without(graph: PruningGraph) -> tuple[tuple[int, ...], ...]:
    gone = {group for branch in graph.branches for group in branch.within}
    return tuple(() if at in gone else tuple(range(n)) for at, n in enumerate(graph.full))


class Activated(nn.Module):
    """Code behind the last layer of a branch changes what it made."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(6, 4, 1), nn.Conv2d(4, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv2(F.relu(self.conv1(x))))


def test_code_behind_the_last_layer_of_a_branch_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(net: Any, pictures: Tensor) -> Tensor:
        x = net.stem(pictures)
        x = x + net.one(x)
        return net.head((x + net.two(x)).mean((2, 3)))

    layers = {"one": Activated(), "two": Activated(), "head": nn.Linear(6, 4)}
    model = noisy(Wired(forward, stem=nn.Conv2d(3, 6, 1), **layers))
    told = counted(monkeypatch)
    graph = amc.trace(model, PICTURES)
    assert {branch.name for branch in graph.branches} == {"one.conv2", "two.conv2"}
    assert told == ["", "", ""]


class Follows(nn.Module):
    """Reads the outputs that it says it is from, as the parts of YOLO do."""

    def __init__(self, part: nn.Module, *sources: int) -> None:
        super().__init__()
        self.part, self.sources = part, list(sources)

    def forward(self, *made: Tensor) -> Tensor:
        return self.part(sum(made) if len(made) > 1 else made[0])  # type: ignore[arg-type]


def test_lists_of_numbers_can_be_read_of_what_stands_in_the_place_of_a_part() -> None:
    from amc.modules import absent

    part = Follows(nn.Conv2d(6, 6, 1), -1, 2)
    assert absent.Passing(part, 0).sources == [-1, 2]
    constant = absent.Constant(torch.zeros(6, 1, 1), part, -3, filled=False, returns=0)
    assert constant.sources == [-1, 2]


class Particular(nn.Module):
    """Adds what it makes of its input, but not of so many channels."""

    def __init__(self, refused: int) -> None:
        super().__init__()
        self.one, self.two, self.refused = nn.Conv2d(40, 40, 1), nn.Conv2d(40, 40, 1), refused

    def forward(self, x: Tensor) -> Tensor:
        features = F.relu(self.one(x))
        if features.shape[1] == self.refused:
            raise ValueError("not so many")
        return x + self.two(features)


@pytest.mark.parametrize("refused", [0, 16])
def test_branches_are_proved_on_a_small_network_or_where_that_fails_on_the_whole(
    refused: int,
) -> None:
    from amc.tracing import proof

    body = Particular(refused)
    model = noisy(nn.Sequential(nn.Conv2d(3, 40, 1), body, nn.Flatten(), nn.Linear(2560, 4)))
    graph = amc.trace(model, PICTURES)
    assert [branch.name for branch in graph.branches] == ["1"]
    (branch,) = graph.branches
    assert branch.width.fixed + sum(graph.full[at] * each for at, each in branch.width.parts) == 40
    assert proof._few(graph.groups[1]) == 16
    units = _without(graph)
    assert apart(cut(model, graph, units), mask(model, graph, units), PICTURES) < 1e-5
