"""Fetching a file: shown while it comes, checked by its hash, in place only when it is whole."""

import hashlib
import os
import pathlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from refnet import progress
from refnet.errors import ArgumentError, DataError

TIMEOUT = 20  # seconds without an answer
PIECE = 1 << 20  # bytes
SPELLED = {"sha256": "SHA-256", "md5": "MD5"}


def hasher(algorithm: str, known: str | None = None) -> Any:
    """A new hash: "sha256", "md5", or "auto" for the one that a known value has the length of."""
    if algorithm == "auto":
        algorithm = "md5" if known is not None and len(known) == 32 else "sha256"
    if algorithm not in ("sha256", "md5"):
        raise ArgumentError(f"a file's hash is 'sha256', 'md5' or 'auto'; got {algorithm!r}.")
    return hashlib.new(algorithm)


def hash_of(path: pathlib.Path, algorithm: str = "sha256", known: str | None = None) -> str:
    """The hash of a file, in hexadecimal."""
    digest = hasher(algorithm, known)
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return str(digest.hexdigest())


def fetch(address: str, target: pathlib.Path, known: str | None = None, algorithm: str = "auto") -> None:
    """Fetches a file into `target`. It is written beside it first: what is there is replaced whole or not at all.

    Args:
        known: the hash that the file must have; None if it is not known.
        algorithm: of the hash, see `hasher`.
    Raises:
        OSError: no network, no such address, no room.  DataError: a file with another hash, which is not kept.
    """
    import urllib.request  # with it come http, ssl and email, which nothing else needs

    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    digest = hasher(algorithm, known)
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(part, "wb") as file, shown(address, length_of(response)) as advance:
                while piece := response.read(PIECE):
                    file.write(piece)
                    digest.update(piece)
                    advance(len(piece))
        if known is not None and digest.hexdigest() != known:
            raise DataError(
                f"{address} gave a file with {SPELLED[digest.name]} {digest.hexdigest()}; the known one has {known}. "
                "It was not kept."
            )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def length_of(response: Any) -> int | None:
    """How many bytes will come, if the answer says so."""
    headers = getattr(response, "headers", None)
    length = None if headers is None else headers.get("Content-Length")
    return int(length) if length is not None and length.isdecimal() else None


@contextmanager
def shown(address: str, total: int | None) -> Iterator[Any]:
    """Shows that a file is coming: a bar where there is a screen, else one line. Gives a function of the bytes that came."""
    if not progress.live():
        progress.tell(f"Downloading data from {address}")
        yield lambda count: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns) as bar:
        task = bar.add_task(f"Downloading {address.rsplit('/', 1)[-1]}", total=total)
        yield lambda count: bar.advance(task, count)
