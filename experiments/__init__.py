"""The command line, run folders, reports and studies."""

from amc.parsing import tell_moved

_MOVED = {
    "experiments.commands": ("benchmark", "exporting", "listing", "reporting", "train"),
    "experiments.disk": ("files", "lock", "machine", "records", "yaml_files"),
    "experiments.latency": ("gain", "onnx_files", "outlook", "semi_structured", "timing"),
    "experiments.latency.profiling": ("profiling",),
    "experiments.commands.trust": ("trust",),
    "experiments.runs": ("failures", "journal", "result_checks", "results", "resuming"),
    "experiments.search": (
        *("holding", "options", "problems", "searching", "strategies", "tuning"),
    ),
    "amc.strategies": ("samplers",),
    "experiments.settings": ("arguments", "config", "foreign"),
    "experiments.studies": ("markdown", "pages"),
    "experiments.studies.budgets": ("bench_budgets",),
    "experiments.studies.contest": ("bench_agents", "contest"),
    "experiments.studies.costs": ("bench_costs",),
    "experiments.studies.criteria": ("bench_criteria", "removal"),
    "experiments.studies.finetuning": ("bench_finetuning",),
    "experiments.studies.latency": ("bench_latency",),
    "experiments.studies.masks": ("bench_masks",),
    "experiments.studies.semi_structured": ("bench_semi_structured",),
    "experiments.studies.sparsity": ("bench_sparsity", "sparsity"),
    "experiments.studies.speed": ("bench_search", "speed"),
    "experiments.terminal": ("ctrl_c", "progress"),
    "experiments.zoo": ("networks",),
}

tell_moved("experiments", {name: place for place, names in _MOVED.items() for name in names})
