"""From a policy to a network, at every granularity."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from amc import Budget, Policy, PolicyError, Problem, Samples, bake, prune
from amc.export import save_onnx, save_pruned
from amc.granularity import Granularity
from amc.pruning import Pruner, decisions, kept_counts, policy_of
from amc.pruning.masks import held_masks
from amc.tasks import Classification

MASKING = ["element", "vector", "kernel", "2:4", "n:4"]
IMAGES = torch.randn(40, 4, 8, 8, generator=torch.Generator().manual_seed(1))
SAMPLES = Samples(IMAGES, torch.arange(40) % 4)


def network() -> nn.Module:
    torch.manual_seed(0)
    body = [nn.Conv2d(4, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3)]
    return nn.Sequential(*body, nn.ReLU(), nn.Flatten(), nn.Linear(128, 4)).eval()


def halved(granularity: str, criterion: str = "l1") -> Policy:
    graph = decisions(network(), IMAGES[:1], granularity)
    return policy_of(graph, [max(1, units // 2) for units in graph.full], criterion=criterion)


def zeros(weight: Tensor) -> int:
    return int((weight == 0).sum())


@pytest.mark.parametrize("granularity", MASKING)
def test_a_policy_read_again_prunes_the_same_weights(granularity: str, tmp_path: Path) -> None:
    policy = halved(granularity)
    policy.save(tmp_path / "policy.json")
    once = prune(network(), policy, IMAGES[:1])
    again = prune(network(), Policy.load(tmp_path / "policy.json"), IMAGES[:1])
    assert held_masks(once)
    for name, kept in held_masks(once).items():
        assert torch.equal(kept, held_masks(again)[name])
        assert zeros(once.get_submodule(name).weight) == kept.numel() // 2


@pytest.mark.parametrize("granularity", MASKING)
def test_a_problem_gives_what_its_policy_gives(granularity: str) -> None:
    model, budget = network(), Budget.parse("params=0.6")
    problem = Problem(
        model,
        IMAGES[:1],
        [budget],
        task=Classification(None, SAMPLES),
        granularity=granularity,
        criterion="l2",
    )
    kept = tuple(max(1, units // 2) for units in problem.graph.full)
    pruned = bake(prune(model, problem.policy(kept), IMAGES[:1]))
    state = problem.network(kept).state_dict()
    assert all(torch.equal(state[name], value) for name, value in pruned.state_dict().items())
    nonzero = sum(int((value != 0).sum()) for value in pruned.parameters())
    # A bias or a shift of a norm may be zero from the start, and is a parameter all the same.
    others = sum(zeros(value) for value in model.parameters())
    assert problem.costs["params"](kept) == nonzero + others
    assert problem.evaluate(kept).costs["size"] < problem.costs["size"](problem.graph.full)


@pytest.mark.parametrize("criterion", ["taylor", "random", "lp:0.5"])
def test_other_criteria_choose_other_weights(criterion: str) -> None:
    by_size = held_masks(prune(network(), halved("element"), IMAGES[:1]))
    policy = halved("element", criterion)
    other = held_masks(prune(network(), policy, IMAGES[:1], calibration=SAMPLES))
    same = all(torch.equal(by_size[name], other[name]) for name in by_size)
    assert same == (criterion == "lp:0.5")


def test_a_budget_of_operations_is_refused_where_zeros_are_computed_too() -> None:
    with pytest.raises(ValueError, match="not change macs, because zeros are held and"):
        Problem(
            network(),
            IMAGES[:1],
            [Budget.parse("macs=0.5")],
            task=Classification(None, SAMPLES),
            granularity="element",
        )


def test_a_policy_of_another_granularity_names_what_differs() -> None:
    policy = Policy(halved("element").groups, granularity=Granularity("kernel"))
    with pytest.raises(PolicyError, match="'0' of 288 units, where this network has '0' of"):
        prune(network(), policy, IMAGES[:1])


def test_a_fixed_pattern_keeps_n_or_all_of_m() -> None:
    graph = decisions(network(), IMAGES[:1], "2:4")
    assert kept_counts(policy_of(graph, (2, 4, 2)), graph) == (2, 4, 2)
    for count in (1, 3):
        with pytest.raises(PolicyError, match=rf"keeps {count} of every 4 weights in '3'.* 2 or 4"):
            prune(network(), policy_of(graph, (2, count, 2)), IMAGES[:1])


def test_an_unknown_granularity_is_refused_with_a_suggestion() -> None:
    with pytest.raises(LookupError, match="did you mean 'element'"):
        decisions(network(), IMAGES[:1], "elements")
    with pytest.raises(ValueError, match="'4:4' prunes nothing"):
        decisions(network(), IMAGES[:1], "4:4")


def test_masks_leave_with_the_files_as_plain_zeros(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    from safetensors.torch import load_file

    policy = halved("2:4")
    pruned = prune(network(), policy, IMAGES[:1])
    save_pruned(pruned, policy, tmp_path / "pruned.safetensors")
    state = load_file(tmp_path / "pruned.safetensors")
    plain = network()
    plain.load_state_dict(state)
    with torch.no_grad():
        assert torch.equal(plain(IMAGES), pruned(IMAGES))
        save_onnx(pruned, IMAGES[:1], tmp_path / "pruned.onnx")
        session = onnxruntime.InferenceSession(str(tmp_path / "pruned.onnx"))
        (logits,) = session.run(None, {"input": IMAGES.numpy()})
        assert torch.allclose(torch.from_numpy(logits), pruned(IMAGES), atol=1e-4)
    import onnx
    from onnx import numpy_helper

    stored = [
        numpy_helper.to_array(item)
        for item in onnx.load(str(tmp_path / "pruned.onnx")).graph.initializer
    ]
    for name in held_masks(pruned):
        shape = plain.get_submodule(name).weight.shape
        (found,) = [array for array in stored if array.shape == tuple(shape)]
        assert (found == 0).sum() == found.size // 2


def test_with_calibration_batch_norms_are_measured_again_behind_masks() -> None:
    def norms(pruned: nn.Module) -> Tensor:
        mean = pruned.get_submodule("1").running_mean
        assert isinstance(mean, Tensor)
        return mean

    pruned = prune(network(), halved("element"), IMAGES[:1], calibration=SAMPLES)
    with torch.no_grad():
        wanted = pruned.get_submodule("0")(IMAGES).mean((0, 2, 3))
    assert torch.allclose(norms(pruned), wanted, atol=1e-5)
    assert torch.equal(norms(prune(network(), halved("element"), IMAGES[:1])), torch.zeros(8))


@pytest.mark.parametrize("granularity", ["channel", *MASKING])
def test_where_nothing_is_pruned_the_network_is_the_unpruned_one(granularity: str) -> None:
    model = network()
    graph = decisions(model, IMAGES[:1], granularity)
    pruner = Pruner.of(model, graph, "l1", calibration=SAMPLES)
    for pruned in (pruner.network(graph.full), pruner.trainable(graph.full)):
        state = pruned.state_dict()
        assert all(torch.equal(state[name], item) for name, item in model.state_dict().items())


def test_batch_norms_before_the_first_mask_keep_their_statistics() -> None:
    graph = decisions(network(), IMAGES[:1], "element", ["0"])
    policy = policy_of(graph, [units // 2 for units in graph.full])
    pruned = prune(network(), policy, IMAGES[:1], calibration=SAMPLES)
    assert held_masks(pruned).keys() == {"3", "6"}
    assert torch.equal(pruned.get_buffer("1.running_mean"), torch.zeros(8))


@pytest.mark.parametrize("granularity", ["channel", "element"])
def test_what_was_excluded_stays_whole_when_the_policy_is_applied_again(granularity: str) -> None:
    graph = decisions(network(), IMAGES[:1], granularity, ["0"])
    assert "0" not in [group.name for group in graph.groups]
    policy = policy_of(graph, [units // 2 for units in graph.full])
    again = Policy.from_json(policy.to_json())
    assert again == policy
    pruned = prune(network(), again, IMAGES[:1])
    first = pruned.get_submodule("0").weight
    assert torch.equal(first, network().get_submodule("0").weight)
    with pytest.raises(ValueError, match="no layer matches the excluded pattern 'stem"):
        decisions(network(), IMAGES[:1], granularity, ["stem.*"])
