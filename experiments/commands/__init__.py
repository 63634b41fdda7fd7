"""What the command line runs: one file or folder a command.

Each has a function `run` and is imported when it is asked for, because most of them bring PyTorch
along. Only `conclusion` is no command: what several of them say in the end.
"""

__all__ = [
    "benchmark",
    "export",
    "front",
    "profile",
    "prune",
    "report",
    "runs",
    "search",
    "train",
    "trust",
    "watch",
]
