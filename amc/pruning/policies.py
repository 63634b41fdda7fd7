"""A policy and the network that it is for: what there is to decide, and the pruned network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from torch import nn

from amc.granularity import CHANNELS, Granularity
from amc.graph import PruningGraph
from amc.modules import Inputs, unwrapped
from amc.policy import GroupChoice, Policy, PolicyError
from amc.pruning.masks import masking_graph, mixed_graph
from amc.pruning.pruner import Pruner
from amc.surgery import check_cut, mask
from amc.tasks import Calibration, placed, task_of
from amc.tracing import survey, trace


def decisions(
    model: nn.Module,
    example_inputs: Inputs,
    granularity: str | Granularity = CHANNELS,
    exclude: Sequence[str] = (),
) -> PruningGraph:
    """What there is to decide for a network at a granularity.

    Args:
        model: The network, left untouched.
        example_inputs: As `amc.trace` takes them.
        granularity: What a unit is, or the text that `Granularity.parse` reads.
        exclude: Shell patterns of layers (such as "stem.*") to leave whole.

    Raises:
        GraphError: if the network cannot be traced, or a pattern matches none of its layers.
        LookupError: for an unknown granularity.
        ValueError: if there is nothing to prune at it.
    """
    unit = Granularity.parse(granularity)
    if not unit.masks:
        return trace(model, example_inputs, exclude=exclude)
    masked = masking_graph(survey(model, example_inputs, exclude=exclude), unit.finer)
    if not unit.cuts:
        return masked
    channels = trace(model, example_inputs, exclude=exclude)
    return mixed_graph(channels, masked.groups, unit, masked.fixed)


def prune(
    model: nn.Module,
    policy: Policy,
    example_inputs: Inputs,
    *,
    calibration: Calibration | None = None,
    masked: bool = False,
    seed: int = 0,
    graph: PruningGraph | None = None,
) -> nn.Module:
    """A pruned copy of `model`, which itself is left untouched.

    Args:
        model: The network that the policy was made for, or another of the same architecture.
        policy: How many units of each group stay; its criterion says which.
        example_inputs: As `amc.trace` takes them.
        calibration: Training data for criteria that need them, for the least-squares refit of
            the layers that lose channels, and for the batch norms behind masks; without them
            weights are only selected.
        masked: Keep all shapes and set the channels that are pruned to zero.
        seed: Of the random positions that the refit samples, and of the criterion.
        graph: The network's `decisions` at the policy's granularity, where they are known already;
            None traces the network.

    Returns:
        At granularities with channels a really smaller network, else one of the same shapes. Pruned
        weights are held at zero through training and copies; `amc.bake` makes them plain.

    Raises:
        PolicyError: if the policy belongs to another network; names the first difference.
        ValueError: if `masked` is asked for at a granularity that both cuts and masks.
        SurgeryError: if the cut network cannot run, because its code fixes a number of channels,
            or computes something else than the masked one.
    """
    model = unwrapped(model)
    example_inputs = placed(example_inputs, model)
    if graph is None:
        graph = decisions(model, example_inputs, policy.granularity, policy.exclude)
    kept = kept_counts(policy, graph)
    task = task_of(calibration)
    if task is not None:
        task = task.for_problem(model, example_inputs)
    pruner = Pruner.of(model, graph, policy.criterion, calibration=task, seed=seed)
    if not graph.granularity.cuts:
        return pruner.trainable(kept)
    if masked and graph.granularity.masks:
        raise ValueError(
            f"masked=True keeps all shapes, and granularity {graph.granularity} has both zeros and "
            "smaller shapes; leave masked out"
        )
    if masked:
        return mask(model, graph, pruner.units(kept), pruner.moments)
    check_cut(model, graph.channels, pruner.units(kept), example_inputs)
    return pruner.trainable(kept)


def kept_counts(policy: Policy, graph: PruningGraph) -> tuple[int, ...]:
    """The policy's kept counts in the order of the graph's groups.

    Raises:
        PolicyError: if the policy belongs to another network, or a count does not follow the
            pattern of its granularity; names the first difference.
    """
    if policy.granularity != graph.granularity:
        raise PolicyError(
            f"the policy's granularity is {policy.granularity}, not {graph.granularity}; "
            "trace the network at the policy's"
        )
    ours = [f"{choice.name!r} of {choice.total} units" for choice in policy.groups]
    theirs = [f"{group.name!r} of {group.units} units" for group in graph.groups]
    for number, (asked, found) in enumerate(zip_longest(ours, theirs, fillvalue="none"), 1):
        if asked != found:
            raise PolicyError(
                f"the policy is for another network: as group {number} it has {asked}, where this "
                f"network has {found}; use the model and width that it was searched on"
            )
    unit = policy.granularity
    least = graph.least_at(policy.kept)
    for choice, group, fewest in zip(policy.groups, graph.groups, least, strict=True):
        if choice.kept < fewest:
            raise PolicyError(
                f"the policy keeps none of {choice.name!r}, and the network cannot go on without; "
                f"keep 1 to {choice.total}"
            )
        if unit.n and group.unit_weights and choice.kept not in (unit.n, unit.m):
            raise PolicyError(
                f"the policy keeps {choice.kept} of every {unit.m} weights in {choice.name!r}; at "
                f"granularity {unit} that is {unit.n} or {unit.m} (n:{unit.m} leaves it free)"
            )
    return tuple(graph.settled(policy.kept).tolist())


def policy_of(
    graph: PruningGraph,
    kept: Sequence[int],
    *,
    criterion: str = "l1",
    origin: Mapping[str, str] | None = None,
) -> Policy:
    """Kept counts as a policy that names the graph's groups."""
    choices = tuple(
        GroupChoice(group.name, int(count), group.units)
        for group, count in zip(graph.groups, kept, strict=True)
    )
    return Policy(choices, graph.granularity, criterion, graph.exclude, dict(origin or {}))
