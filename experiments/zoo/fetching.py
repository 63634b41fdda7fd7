"""Where the files of a data set are looked for, and how they are fetched if they are nowhere."""

from __future__ import annotations

import hashlib
import os
import urllib.request
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from experiments.disk import cache_folder

TIMEOUT_SECONDS = 60.0
"""How long a silent server is waited for."""


@dataclass(frozen=True)
class Remote:
    """A file that may be downloaded.

    Args:
        file: What it is called on disk.
        url: Where it is downloaded from.
        sha256: Of `content(bytes)`, in hexadecimal.
        content: From the file's bytes to the bytes that the checksum is of.
    """

    file: str
    url: str
    sha256: str
    content: Callable[[bytes], bytes] = bytes


def find(dataset: str, files: Iterable[str], system: tuple[Path, ...] = ()) -> Path | None:
    """The first folder that holds all of the files, or None.

    Looked into, in this order: `$AMC_DATA/DATASET`, `$AMC_DATA`, `system`, the cache.
    """
    own = os.environ.get("AMC_DATA")
    given = (Path(own) / dataset, Path(own)) if own else ()
    folders = (*given, *system, cache_folder(dataset))
    names = tuple(files)
    return next((f for f in folders if all((f / name).is_file() for name in names)), None)


def download(dataset: str, remotes: Iterable[Remote], by_hand: str) -> Path:
    """Fetch the files that the cache lacks, check them, and give the cache's folder.

    Args:
        dataset: Its name in the table.
        remotes: All files of the data set.
        by_hand: A second way of bringing them, in the imperative, for the error's message.

    Raises:
        FileNotFoundError: if a file cannot be fetched; the message names the three ways.
        ValueError: if what arrived is not what was expected.
    """
    wanted = tuple(remotes)
    folder = cache_folder(dataset)
    for remote in wanted:
        if not (folder / remote.file).is_file():
            _store(folder / remote.file, _fetch(dataset, remote, _three_ways(wanted, by_hand)))
    return folder


def _three_ways(remotes: tuple[Remote, ...], by_hand: str) -> str:
    files = ", ".join(remote.file for remote in remotes)
    return f"put {files} into $AMC_DATA, or {by_hand}, or allow the download"


def _fetch(dataset: str, remote: Remote, ways: str) -> bytes:
    try:
        with urllib.request.urlopen(remote.url, timeout=TIMEOUT_SECONDS) as response:
            data: bytes = response.read()
    except (OSError, HTTPException) as error:
        raise FileNotFoundError(
            f"{dataset}: its files are not on this machine; {ways} from {remote.url} "
            f"(which just failed: {error})"
        ) from error
    return _check(remote, data)


def _check(remote: Remote, data: bytes) -> bytes:
    try:
        found = hashlib.sha256(remote.content(data)).hexdigest()
    except (OSError, EOFError, zlib.error) as error:
        found = f"none ({error})"
    if found != remote.sha256:
        raise ValueError(
            f"{remote.url}: what arrived is not the expected file, its SHA-256 is {found} "
            f"instead of {remote.sha256}; try again, or put {remote.file} into $AMC_DATA"
        )
    return data


def _store(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_bytes(data)
    # Renaming is atomic: another process never sees half a file.
    os.replace(partial, path)
