"""What is scored, on which data: `Task` and the ready-made ones."""

from amc.tasks.batches import (
    Data,
    Whole,
    batches,
    check_data,
    few,
    first_batch,
    in_equal_parts,
    moved,
    part,
    parts,
    placed,
    size_of,
    type_of,
)
from amc.tasks.classification import (
    ACCURACY,
    Calibration,
    Classification,
    Margins,
    calibrating,
    cross_entropy,
    task_of,
)
from amc.tasks.distillation import distillation_loss, relative_error
from amc.tasks.language import LanguageModel
from amc.tasks.multi_label import MultiLabel
from amc.tasks.own_code import TaskError, own_code, reading
from amc.tasks.padding import Axis, Masked, likely_axis, masked
from amc.tasks.regression import Regression
from amc.tasks.samples import Indexed, Samples
from amc.tasks.score import MOST, Score
from amc.tasks.segmentation import Segmentation, places_cross_entropy
from amc.tasks.task import (
    CALIBRATION,
    Metric,
    Task,
    checked_loss,
    main_output,
    replace_parts,
)
from amc.tasks.torch_metric import TorchMetric
from amc.tasks.unlabelled import Agreement, Unlabelled

__all__ = [
    "ACCURACY",
    "CALIBRATION",
    "MOST",
    "Agreement",
    "Axis",
    "Calibration",
    "Classification",
    "Data",
    "Indexed",
    "LanguageModel",
    "Margins",
    "Masked",
    "Metric",
    "MultiLabel",
    "Regression",
    "Samples",
    "Score",
    "Segmentation",
    "Task",
    "TaskError",
    "TorchMetric",
    "Unlabelled",
    "Whole",
    "batches",
    "calibrating",
    "check_data",
    "checked_loss",
    "cross_entropy",
    "distillation_loss",
    "few",
    "first_batch",
    "in_equal_parts",
    "likely_axis",
    "main_output",
    "masked",
    "moved",
    "own_code",
    "part",
    "parts",
    "placed",
    "places_cross_entropy",
    "reading",
    "relative_error",
    "replace_parts",
    "size_of",
    "task_of",
    "type_of",
]
