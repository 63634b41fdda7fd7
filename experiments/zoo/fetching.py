"""Where the files of a data set are looked for, and how they are fetched if they are nowhere."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Remote:
    """A file that may be downloaded.

    Args:
        file: Its name, at the source and on disk.
        url: Where it is downloaded from.
        sha256: Of `content(bytes)`, in hexadecimal.
        content: From the file's bytes to the bytes that the checksum is of.
    """

    file: str
    url: str
    sha256: str
    content: Callable[[bytes], bytes] = bytes


def data_folders(dataset: str) -> tuple[Path, ...]:
    """The user's own folders for a data set, `$AMC_DATA` (if set) before the cache."""
    own = os.environ.get("AMC_DATA")
    given = (Path(own) / dataset, Path(own)) if own else ()
    return (*given, cache_folder(dataset))


def cache_folder(dataset: str) -> Path:
    """Where downloads of a data set are kept: `$XDG_CACHE_HOME/amc/DATASET`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "amc" / dataset


def first_with(folders: Iterable[Path], files: Iterable[str]) -> Path | None:
    """The first folder that holds all of the files."""
    names = tuple(files)
    return next((f for f in folders if all((f / name).is_file() for name in names)), None)


def download(remotes: Iterable[Remote], dataset: str, other_ways: str) -> Path:
    """Fetch the files that the cache lacks, check them, and give the cache's folder.

    Args:
        other_ways: How the user can bring the files by hand, for the error's message.

    Raises:
        FileNotFoundError: if a file cannot be fetched.
        ValueError: if what arrived is not what was expected.
    """
    folder = cache_folder(dataset)
    for remote in remotes:
        if not (folder / remote.file).is_file():
            _store(folder / remote.file, _checked(remote, _fetch(remote, dataset, other_ways)))
    return folder


def _fetch(remote: Remote, dataset: str, other_ways: str) -> bytes:
    try:
        with urllib.request.urlopen(remote.url, timeout=TIMEOUT_SECONDS) as response:
            data: bytes = response.read()
            return data
    except OSError as error:
        raise FileNotFoundError(
            f"{dataset}: its files are not on this machine and the download failed ({error}); "
            f"{other_ways}, or allow the download from {remote.url}"
        ) from error


def _checked(remote: Remote, data: bytes) -> bytes:
    try:
        found = hashlib.sha256(remote.content(data)).hexdigest()
    except (OSError, EOFError) as error:
        found = str(error)
    if found != remote.sha256:
        raise ValueError(
            f"{remote.url}: what arrived has SHA-256 {found}, not {remote.sha256}; "
            "try again, or bring the file by hand"
        )
    return data


def _store(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_bytes(data)
    # Renaming is atomic: another process never sees half a file.
    os.replace(partial, path)
