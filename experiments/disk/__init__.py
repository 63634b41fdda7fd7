"""Files that survive a crash, locks, YAML, and what machine this is."""

from experiments.disk.files import (
    append_lines,
    cache_folder,
    file_to_write,
    ready_folder,
    run_at,
    whole_lines,
    write_durably,
    write_whole,
)
from experiments.disk.hardware import in_short, machine, memory_bytes
from experiments.disk.locking import lock
from experiments.disk.rows import Rows
from experiments.disk.yaml_files import read_yaml

__all__ = [
    "Rows",
    "append_lines",
    "cache_folder",
    "file_to_write",
    "in_short",
    "lock",
    "machine",
    "memory_bytes",
    "read_yaml",
    "ready_folder",
    "run_at",
    "whole_lines",
    "write_durably",
    "write_whole",
]
