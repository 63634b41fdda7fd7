"""What the command line runs: one file or folder a command.

Each is imported when it is asked for, because most of them bring PyTorch along.
"""

__all__ = ["benchmark", "export", "profile", "prune", "report", "runs", "search", "train", "trust"]
