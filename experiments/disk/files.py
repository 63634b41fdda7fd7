"""Writing results so that neither a crash nor a mistyped path costs a finished run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

OWN = ("config.yaml", "journal.jsonl", "model.safetensors", "policy.json", "result.json")
"""Files that a run's folder is nothing without."""


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a crash leaves the old one or the new one, never half of it.

    Raises:
        OSError: if it cannot be written; names the file.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, text.encode("utf-8"))


def write_durably(path: Path, data: bytes) -> None:
    """Write a file whole, and have it on the disk when this returns.

    Raises:
        OSError: if it cannot be written; the old file, if there was one, is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def whole_lines(path: Path) -> list[str]:
    """The lines of a file that only grows, without a last one that a crash cut off.

    Bytes that are no text stand there as question marks.
    """
    if not path.is_file():
        return []
    data = path.read_bytes()
    return data[: data.rfind(b"\n") + 1].decode("utf-8", "replace").split("\n")[:-1]


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Add lines to a file, on the disk when this returns, in place of one that a crash cut off.

    Raises:
        OSError: if they cannot be written.
    """
    with open(path, "a+b") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write("".join(f"{line}\n" for line in lines).encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())


def run_at(path: str | Path) -> Path:
    """The folder of a run, or of several, that a person names.

    Raises:
        NotADirectoryError: if it is a file, which may lie in such a folder.
    """
    folder = Path(path)
    if folder.is_file():
        raise NotADirectoryError(f"{path} is a file; name a folder, such as {folder.parent}")
    return folder


def file_to_write(path: str | Path, flag: str = "--out") -> Path:
    """A file that a person names for what is made from a run.

    Args:
        path: Of the file.
        flag: That names it, for messages.

    Raises:
        IsADirectoryError: if it is a folder.
        FileExistsError: if a run keeps one of its own there.
    """
    file = Path(path)
    if file.is_dir():
        raise IsADirectoryError(f"{flag} {file} is a folder; name the file to write")
    if file.name in OWN and (file.parent / "config.yaml").is_file():
        raise FileExistsError(f"{flag} {file} is what a run keeps itself; name another file")
    return file


def ready_folder(path: str, flag: str = "--out") -> Path:
    """The folder for results, made if it is not there: asked for before long work begins.

    Args:
        path: Of the folder.
        flag: That names it, for messages.

    Raises:
        OSError: if it cannot be made or written to.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "a file is in its way" if isinstance(error, FileExistsError) else error.strerror
        raise OSError(f"{flag} {path}: cannot make this folder ({reason}); name another") from None
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{flag} {path}: cannot write into this folder; name another")
    return folder


def cache_folder(name: str) -> Path:
    """Where what can be made again is kept: `$XDG_CACHE_HOME/amc/NAME`, else under `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "amc" / name
