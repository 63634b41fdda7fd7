"""What is scored, on which data: `Task` and the ready-made ones."""

from amc.tasks.batches import (
    Data,
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
    task_of,
)
from amc.tasks.distillation import distillation_loss, relative_error
from amc.tasks.language import LanguageModel
from amc.tasks.multi_label import MultiLabel
from amc.tasks.regression import Regression
from amc.tasks.samples import Indexed, Samples
from amc.tasks.score import Score
from amc.tasks.segmentation import Segmentation
from amc.tasks.task import (
    CALIBRATION,
    Metric,
    Task,
    TaskError,
    main_output,
    own_code,
    replace_parts,
)
from amc.tasks.torch_metric import TorchMetric
from amc.tasks.unlabelled import Agreement, Unlabelled

__all__ = [
    "ACCURACY",
    "CALIBRATION",
    "Agreement",
    "Calibration",
    "Classification",
    "Data",
    "Indexed",
    "LanguageModel",
    "Margins",
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
    "batches",
    "calibrating",
    "check_data",
    "distillation_loss",
    "few",
    "first_batch",
    "in_equal_parts",
    "main_output",
    "moved",
    "own_code",
    "part",
    "parts",
    "placed",
    "relative_error",
    "replace_parts",
    "size_of",
    "task_of",
    "type_of",
]
