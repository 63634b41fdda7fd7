import gzip
import hashlib
from http.client import IncompleteRead
from pathlib import Path

import pytest

from experiments.disk import cache_folder
from experiments.zoo.fetching import Remote, download, find

URL = "https://example.org/flowers.bin"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def flowers(data: bytes = b"tulip") -> Remote:
    return Remote("flowers.bin", URL, sha256(data))


def put(folder: Path, name: str = "flowers.bin") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"tulip")
    return folder


def test_places_are_searched_in_their_order(machine):
    system = machine / "debian"
    order = [machine / "data" / "flowers", machine / "data", system, cache_folder("flowers")]
    for folder in reversed(order):
        put(folder)
        assert find("flowers", ["flowers.bin"], (system,)) == folder


def test_nothing_is_found_where_nothing_is(machine):
    assert find("flowers", ["flowers.bin"], (machine / "debian",)) is None


def test_a_folder_that_lacks_a_file_is_passed_over(machine):
    put(machine / "data", "a")
    whole = put(put(cache_folder("flowers"), "a"), "b")
    assert find("flowers", ["a", "b"]) == whole


def test_without_amc_data_the_current_folder_is_not_searched(machine, monkeypatch):
    monkeypatch.setenv("AMC_DATA", "")
    monkeypatch.chdir(put(machine / "here"))
    assert find("flowers", ["flowers.bin"]) is None


def test_the_cache_is_in_the_home_folder_unless_told_otherwise(machine, monkeypatch):
    assert cache_folder("flowers") == machine / "cache" / "amc" / "flowers"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: machine)
    assert cache_folder("flowers") == machine / ".cache" / "amc" / "flowers"


def test_a_download_lands_in_the_cache_and_leaves_nothing_else(machine, web):
    web.pages[URL] = b"tulip"
    folder = download("flowers", [flowers()], "grow them")
    assert folder == cache_folder("flowers")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"flowers.bin": b"tulip"}
    assert find("flowers", ["flowers.bin"]) == folder


def test_what_the_cache_holds_is_not_fetched_again(machine, web):
    put(cache_folder("flowers"))
    download("flowers", [flowers()], "grow them")
    assert web.asked == []


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(machine, web):
    web.pages[URL] = b"weeds"
    with pytest.raises(ValueError, match=rf"{URL}: .* SHA-256 is {sha256(b'weeds')} instead of"):
        download("flowers", [flowers()], "grow them")
    assert not cache_folder("flowers").exists()


def test_the_checksum_may_be_of_the_decompressed_bytes(machine, web):
    remote = Remote("flowers.gz", URL, sha256(b"tulip"), gzip.decompress)
    web.pages[URL] = gzip.compress(b"tulip", compresslevel=1, mtime=0)
    assert (download("flowers", [remote], "grow them") / "flowers.gz").is_file()


@pytest.mark.parametrize(
    "page", [b"<html>log in first</html>", gzip.compress(b"tulip", mtime=0)[:-4], b""]
)
def test_a_page_that_does_not_decompress_is_refused(machine, web, page):
    remote = Remote("flowers.gz", URL, sha256(b"tulip"), gzip.decompress)
    web.pages[URL] = page
    with pytest.raises(ValueError, match="not the expected file"):
        download("flowers", [remote], "grow them")


def test_a_failed_download_names_the_three_ways(machine):
    with pytest.raises(FileNotFoundError) as raised:
        download("flowers", [flowers()], "grow them")
    message = str(raised.value)
    assert message == (
        "flowers: its files are not on this machine; put flowers.bin into $AMC_DATA, or grow them, "
        f"or allow the download from {URL} (which just failed: <urlopen error no route to host>)"
    )


def test_a_connection_that_breaks_off_is_a_failed_download(machine, web, monkeypatch):
    def broken(url: str, timeout: float) -> None:
        raise IncompleteRead(b"tul")

    monkeypatch.setattr("urllib.request.urlopen", broken)
    with pytest.raises(FileNotFoundError, match="AMC_DATA"):
        download("flowers", [flowers()], "grow them")
