"""The settings of every command as data classes, and the user code that a command names."""

from experiments.settings.commands import CommandSettings
from experiments.settings.flat import (
    as_written,
    benchmark_runs,
    flags_of,
    flat,
    from_flat,
    run_folder,
    save_config,
    split_words,
)
from experiments.settings.foreign import NETWORK, check_network, code_flags, code_in
from experiments.settings.importing import import_named
from experiments.settings.kinds import (
    AUTO,
    COMMAND,
    DEVICES,
    HARDWARE,
    RUNTIMES,
    Budgets,
    is_device,
)
from experiments.settings.mistakes import Mistake
from experiments.settings.parts import (
    ChoiceSettings,
    ComputeSettings,
    CutSettings,
    EarlierSettings,
    GoalSettings,
    MeasureSettings,
    NetworkSettings,
    OutputSettings,
    ProblemSettings,
    ProfilingSettings,
    ScheduleSettings,
    TuningSettings,
)
from experiments.settings.preparation import ProfileSettings, TrainSettings
from experiments.settings.reading import parse
from experiments.settings.search import (
    BenchmarkSettings,
    FrontSettings,
    PruneSettings,
    PruningSettings,
    RunSettings,
    SearchingSettings,
    SearchSettings,
    TrustSettings,
)
from experiments.settings.use import ExportSettings, ReportSettings, RunsSettings

__all__ = [
    "AUTO",
    "COMMAND",
    "DEVICES",
    "HARDWARE",
    "NETWORK",
    "RUNTIMES",
    "BenchmarkSettings",
    "Budgets",
    "ChoiceSettings",
    "CommandSettings",
    "ComputeSettings",
    "CutSettings",
    "EarlierSettings",
    "ExportSettings",
    "FrontSettings",
    "GoalSettings",
    "MeasureSettings",
    "Mistake",
    "NetworkSettings",
    "OutputSettings",
    "ProblemSettings",
    "ProfileSettings",
    "ProfilingSettings",
    "PruneSettings",
    "PruningSettings",
    "ReportSettings",
    "RunSettings",
    "RunsSettings",
    "ScheduleSettings",
    "SearchSettings",
    "SearchingSettings",
    "TrainSettings",
    "TrustSettings",
    "TuningSettings",
    "as_written",
    "benchmark_runs",
    "check_network",
    "code_flags",
    "code_in",
    "flags_of",
    "flat",
    "from_flat",
    "import_named",
    "is_device",
    "parse",
    "run_folder",
    "save_config",
    "split_words",
]
