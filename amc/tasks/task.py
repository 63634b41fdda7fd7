"""Task: what a search knows of its user's work, and nothing of networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, ClassVar, Literal, TypedDict

from torch import Tensor, nn
from typing_extensions import Unpack

from amc.devices import CPU
from amc.modules import Inputs, changed, first_call, tensors
from amc.tasks.batches import (
    Data,
    check_data,
    collect_like,
    few,
    first_batch,
    first_part,
    placed,
)
from amc.tasks.own_code import TaskError, own_code
from amc.tasks.padding import OUTPUTS, Axis, Mask, Padding, axes_of_places
from amc.tasks.score import Score

CALIBRATION = 4000
"""Training samples that layers are refit from at most."""

Call = Callable[[nn.Module], float]
"""From a network, in evaluation mode, to its score."""
Collect = Callable[[Any], Inputs]
"""From a batch to what goes into the network: one tensor, a tuple of arguments, a mapping."""
Loss = Callable[[Any, Any], Tensor]
"""From a network's outputs and the batch to the mean loss, a scalar with a gradient."""
Distill = Callable[[Any, Any, float], Tensor]
"""From the outputs of a network and of its teacher, and a temperature, to how far they differ."""
Tune = Callable[[nn.Module, int], nn.Module | None]
"""Trains a network for so many gradient steps, in place or as a new one."""


class Metric(ABC):
    """How a score is made of a network's answers, batch by batch.

    Attributes:
        score: What the number is.
        each: Whether a sample has a number of its own, and the score is their mean.
        half: Whether answers may be computed in bfloat16 where that is fast.
        against: Whether the answers of the unpruned network are asked for.
        in_turn: Whether it keeps its own count, so that one batch is told after the other.
    """

    score: Score
    each: bool = False
    half: bool = False
    against: bool = False
    in_turn: bool = False

    @property
    def raced(self) -> Metric:
        """What tells more of single samples, for races; itself, where nothing does."""
        return self

    def fresh(self) -> Metric:
        """One that nothing was told yet."""
        return self

    @property
    def ready(self) -> bool:
        """Whether it has been told all that it needs; of one without `against` always."""
        return True

    def knowing(self, padding: Padding, answers: Iterable[tuple[Any, Any]]) -> Metric:
        """The same, told how the unpruned network answers, where it is `against` that.

        Args:
            padding: Of batches and of what is answered to them.
            answers: Each batch, and what the unpruned network answers to it, on the processor.
        """
        return self

    @abstractmethod
    def tell(self, outputs: Any, batch: Any, unpruned: Any) -> Tensor:
        """What is told of a batch, whose sum over batches is what `compute` reads.

        Args:
            outputs: Of the network, on the processor.
            batch: That they are for.
            unpruned: Outputs of the unpruned network, where `against`; else None.

        Returns:
            (samples,) a number for each where `each`; else (1, numbers).

        Raises:
            ValueError: if outputs and batch do not go together, in a sentence.
        """

    def compute(self, told: Tensor) -> float:
        """The score of all that was told.

        Args:
            told: (samples,) where `each`; else (numbers,) sums over all batches.
        """
        return float(told.double().mean())


@dataclass(frozen=True)
class Task:
    """What a problem knows of the user's work: data, and a score.

    Only a score is a must: `score_func`, or a metric with the batches that it is read on. What
    criteria, the refit or fine-tuning need beyond it is asked for by name where it is missing.

    Batches are an iterable that can be begun again, or `Samples`.

    Args:
        score_func: From a network in evaluation mode to its score, on data that no step trains on.
        score: What the number is: its name, unit and direction. A metric says it itself.
        data_loader: Batches for calibration: layers that lose inputs are refit from them, and
            criteria such as "taylor" read them. All of it is read; ready-made tasks take the first
            `CALIBRATION` samples of what is trained on.
        collect_func: What of a batch goes into the network: one tensor, a tuple of the forward's
            arguments, or a mapping of those by name. None takes what looks like the example inputs.
        loss_func: From the network's outputs and the batch to the mean loss.
        train_loader: Batches for fine-tuning.
        test_func: As `score_func`, on data that no step of a search sees.
        tune: The user's own fine-tuning, in place of ours: trains a network for so many steps.
        mask_func: Which places of a batch are no padding. None reads "attention_mask" of inputs by
            name, where there is one.
        distill_func: How far outputs are from those of a teacher. None compares what is a number.
        metric: In place of `score_func`.
        score_loader: Batches that the metric is read on.
        test_loader: The same for the final test.
        unpruned: The network as it came, where the metric compares with it; a problem sets it.
        axes: Along which axis each output of the network has its places, where batches have
            padding; a problem sets them.

    Raises:
        ValueError: if there is no score, or something is of another kind than it must be.
    """

    score_func: Call | None = None
    score: Score = field(default_factory=Score)
    data_loader: Data | None = None
    collect_func: Collect | None = None
    loss_func: Loss | None = None
    train_loader: Data | None = None
    test_func: Call | None = None
    tune: Tune | None = None
    mask_func: Mask | None = None
    distill_func: Distill | None = None
    metric: Metric | None = field(default=None, kw_only=True)
    score_loader: Data | None = field(default=None, kw_only=True)
    test_loader: Data | None = field(default=None, kw_only=True)
    unpruned: nn.Module | None = field(default=None, kw_only=True, repr=False)
    axes: tuple[Axis, ...] | None = field(default=None, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        if self.metric is None and self.score_func is None:
            raise ValueError(
                "task: there is no score; give score_func, which takes a network and returns a "
                "number, or a ready-made task such as amc.Unlabelled"
            )
        if self.metric is not None and self.score_func is not None:
            raise ValueError("task: score_func and metric are both given; give one of them")
        if self.metric is not None and self.score_loader is None:
            raise ValueError("task: a metric needs batches to be read on; give score_loader")
        for name in FUNCTIONS:
            if (own := getattr(self, name)) is not None and not callable(own):
                raise ValueError(
                    f"task: {name} is a {type(own).__name__}; give a function, or leave it out"
                )
        if not isinstance(self.score, Score):
            raise ValueError(
                f"task: score is {self.score!r}; give amc.Score(name, unit, higher_is_better), and "
                "the function that computes it as score_func"
            )
        if self.metric is not None:
            object.__setattr__(self, "score", self.metric.score)

    @property
    def some_data(self) -> Data | None:
        """Batches by which it is seen what they look like; None where there are none."""
        known = (self.score_loader, self.data_loader, self.train_loader)
        return next((data for data in known if data is not None), None)

    @property
    def tests(self) -> bool:
        """Whether there is data for a final test."""
        return self.test_func is not None or self.test_loader is not None

    def inputs(self, batch: Any) -> Inputs:
        """What of a batch goes into the network."""
        collect = self.collect_func or first_part
        with own_code("collect_func", "a batch", collect):
            return collect(batch)

    def real(self, batch: Any) -> Tensor | None:
        """(samples, places) which places of a batch are no padding; None where all are.

        Raises:
            TaskError: if mask_func fails, or gives anything else.
        """
        if self.mask_func is None:
            inputs = self.inputs(batch)
            found = inputs.get(MASK) if isinstance(inputs, Mapping) else None
            return found != 0 if isinstance(found, Tensor) and found.dim() == 2 else None
        with own_code("mask_func", "a batch"):
            mask = self.mask_func(batch)
        if mask is not None and not (isinstance(mask, Tensor) and mask.dim() == 2):
            shape = f" of shape {tuple(mask.shape)}" if isinstance(mask, Tensor) else ""
            raise TaskError(
                f"task: mask_func gave a {type(mask).__name__}{shape}; return (samples, places), "
                "of which those that are not 0 are no padding, or None"
            )
        return None if mask is None else mask != 0

    def loss(self, outputs: Any, batch: Any, **more: float) -> Tensor:
        """The mean loss of a batch.

        Args:
            outputs: Of the network.
            batch: What they are for.
            **more: What losses of classes take beside, as `cross_entropy` does.

        Raises:
            ValueError: if there is none, or it is no scalar with a gradient.
        """
        if self.loss_func is None:
            raise ValueError(
                "task: gradients are asked for, and there is no loss; give loss_func, which takes "
                "the network's outputs and the batch"
            )
        with own_code("loss_func", "outputs and a batch", self.loss_func):
            made = self.loss_func(outputs, _beside(outputs, batch), **more)
        return checked_loss(made, "loss_func")

    def for_problem(self, model: nn.Module, example: Inputs) -> Task:
        """The same, told what its network takes, and how it answers before it is pruned.

        Raises:
            ValueError: if its data are nothing that can be read, or do not come the same each time.
        """
        for name in LOADERS:
            if (data := getattr(self, name)) is not None:
                check_data(data, name, again=name == "score_loader")
        collect = self.collect_func or partial(collect_like, first_call(example))
        unpruned = model if self.metric is not None and self.metric.against else None
        told = replace_parts(self, collect_func=collect, unpruned=unpruned)
        found = told.axes_of(model, {})
        return replace_parts(told, axes=None if found is None else found[OUTPUTS])

    @property
    def padding(self) -> Padding:
        """What is padding in batches, and in what the network answers to them."""
        return Padding(self.real, self.axes)

    def axes_of(
        self, model: nn.Module, layers: Mapping[str, nn.Module]
    ) -> dict[str, tuple[Axis, ...]] | None:
        """As `axes_of_places`, by a few samples; None where nothing is padded."""
        data = self.some_data
        batch = None if data is None else first_batch(data, LOOKED_AT)
        real = None if batch is None else self.real(batch)
        if real is None:
            return None
        return axes_of_places(model, placed(self.inputs(batch), model), real.shape[1], layers)


def checked_loss(made: object, name: str) -> Tensor:
    """What a function of this name gave, as a scalar with a gradient.

    Raises:
        TaskError: if it is none.
    """
    if not isinstance(made, Tensor) or made.numel() != 1:
        shape = f" of shape {tuple(made.shape)}" if isinstance(made, Tensor) else ""
        raise TaskError(
            f"task: {name} gave a {type(made).__name__}{shape}; return the mean loss of the batch, "
            "one number"
        )
    if not made.requires_grad:
        raise TaskError(
            f"task: the loss has no gradient; let {name} compute it from the outputs in PyTorch, "
            "without detach(), item() or argmax()"
        )
    return made.reshape(())


FUNCTIONS = (
    *("score_func", "collect_func", "loss_func", "test_func", "tune", "mask_func"),
    "distill_func",
)
LOADERS = ("data_loader", "train_loader", "score_loader", "test_loader")
LOOKED_AT = 2
"""Samples by which it is seen where padding lies."""
MASK = "attention_mask"
"""What the inputs of language models by name call it."""


def replace_parts(task: Task, **parts: Any) -> Task:
    """The task with other parts, as a plain one: ready-made ones have constructors of their own."""
    known = {one.name: getattr(task, one.name) for one in fields(Task)}
    if known["metric"] is not None:
        known.pop("score")
    return Task(**{**known, **parts})


class Parts(TypedDict, total=False):
    """Parts of a task that a ready-made one takes in place of its own."""

    collect_func: Collect | None
    loss_func: Loss | None
    tune: Tune | None
    mask_func: Mask | None
    distill_func: Distill | None


FromTrain = Literal["train"]
"""In place of calibration data: the first of what is trained on."""


def calibration_of(given: Data | FromTrain | None, train: Data | None) -> Data | None:
    """Calibration data as a ready-made task is given them."""
    if not isinstance(given, str):
        return given
    return None if train is None else few(train, CALIBRATION)


def loaders_of(
    train: Data | None,
    holdout: Data,
    test: Data | None,
    calibration: Data | FromTrain | None,
) -> dict[str, Data | None]:
    """The data of a task as a ready-made one is given them."""
    return {
        "data_loader": calibration_of(calibration, train),
        "train_loader": train,
        "score_loader": holdout,
        "test_loader": test,
    }


class Labelled(Task):
    """A ready-made task on labelled data, whose subclass says how it is scored and learned.

    Args:
        train: What the network was trained on: for the refit, for criteria that need some, and for
            fine-tuning.
        holdout: What candidates are scored on; nobody trains on it, and it is not the test data.
        test: What no step of a search sees, for a report; None where there is none.
        calibration: For the refit and criteria; None leaves the refit out.
        **parts: `collect_func`, `loss_func`, `tune`, `mask_func` and `distill_func` as `Task` takes
            them, in place of the task's own.
    """

    own: ClassVar[Mapping[str, Any]] = {}
    """Metric, loss and the rest that is the subclass's own."""

    def __init__(
        self,
        train: Data | None,
        holdout: Data,
        test: Data | None = None,
        *,
        calibration: Data | FromTrain | None = "train",
        **parts: Unpack[Parts],
    ) -> None:
        data: dict[str, Any] = loaders_of(train, holdout, test, calibration)
        super().__init__(**data, **{**self.own, **parts})


def _beside(outputs: Any, batch: Any) -> Any:
    """The batch where the outputs are."""
    device = next((one.device for one in tensors(outputs)), CPU)
    return batch if device == CPU else changed(batch, lambda one: one.to(device))


def float_outputs(outputs: Any) -> list[Tensor]:
    """The outputs that are numbers with a fraction, in order."""
    return [one for one in tensors(outputs) if one.is_floating_point()]


def main_output(outputs: Any) -> Tensor:
    """The logits among a network's outputs: what is called so, or the first tensor.

    Raises:
        ValueError: if there is no tensor.
    """
    named = outputs.get("logits") if isinstance(outputs, Mapping) else None
    named = getattr(outputs, "logits", named)
    if isinstance(named, Tensor):
        return named
    found = tensors(outputs)
    if not found:
        raise ValueError(
            f"task: the network answers a {type(outputs).__name__} without a tensor; give a "
            "score_func that reads it"
        )
    return found[0]
