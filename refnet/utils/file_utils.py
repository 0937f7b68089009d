"""Files from the network, kept in Keras's folder, and archives unpacked without trusting their paths."""

import os
import pathlib
import platform
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from refnet.errors import ArgumentError, DataError, MissingFileError
from refnet.utils import download


def get_file(
    fname: Any = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: Any = "auto",
    cache_dir: Any = None,
    force_download: bool = False,
) -> str:
    """A file from the network, fetched once.

    Args:
        fname: the name it is kept under, without folders; that of the address if None.
        origin: its address.
        untar: `extract` with archive_format="tar".
        md5_hash, file_hash: the hash it must have, of hash_algorithm ("md5", "sha256", or "auto" by its length).
        cache_subdir, cache_dir: where it is kept: cache_dir/cache_subdir; $KERAS_HOME or ~/.keras if cache_dir is None.
            A file (no archive) of that name in $REFNET_DATA_DIR, which has the hash, is taken as it is, where cache_dir and
            cache_subdir are left as they are.
        extract: whether it is an archive to be unpacked, into a folder beside it.
        archive_format: "tar", "zip", "auto" for both, a list of them, or None for neither.
        force_download: whether it is fetched though it is there.
    Returns:
        The path of the file, or of the folder it was unpacked into.
    Raises:
        MissingFileError: it cannot be fetched.  DataError: another hash; an archive that is damaged, or whose members would
        be written outside of the folder. Nothing is kept then.  ArgumentError: fname, hash_algorithm, archive_format.
    Source: Keras 3 `utils.get_file`.
    """
    if origin is None:
        raise ArgumentError("get_file: give origin, the address to fetch the file from.")
    name = str(os.fspath(fname)) if fname else pathlib.PurePosixPath(urlsplit(origin).path).name
    if not name or name in (".", "..") or "/" in name or os.sep in name:
        raise ArgumentError(
            f"get_file: fname is a file's name without folders (see cache_dir and cache_subdir); got {fname!r} for {origin!r}."
        )
    known, algorithm = (
        (file_hash, hash_algorithm) if file_hash is not None else (md5_hash, "md5" if md5_hash else "auto")
    )
    download.hasher(algorithm, known)
    formats = archive_formats("tar" if untar else archive_format) if untar or extract else []
    base = pathlib.Path(cache_dir or os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras").expanduser()
    folder = base / cache_subdir
    own = os.environ.get("REFNET_DATA_DIR") if cache_dir is None and cache_subdir == "datasets" else None
    given = pathlib.Path(own or ".").expanduser() / name
    as_it_is = own and given.is_file() and not (untar or extract or force_download)
    if as_it_is and (known is None or download.hash_of(given, algorithm, known) == known):
        return str(given)
    target, unpacked = places(folder, name, bool(fname)) if untar or extract else (folder / name, None)
    kept = target.is_file() and (known is None or download.hash_of(target, algorithm, known) == known)
    if force_download or not kept:
        try:
            download.fetch(origin, target, known, algorithm)
        except OSError as error:
            raise MissingFileError(
                f"get_file: {target} is not there, and {origin} could not be fetched ({error}).\n"
                f"  Where there is a network:    curl -o {target} {origin}"
            ) from None
    if unpacked is None:
        return str(target)
    unpack(target, unpacked, formats)
    return str(unpacked)


def places(folder: pathlib.Path, name: str, named: bool) -> tuple[pathlib.Path, pathlib.Path]:
    """Where Keras 3 keeps an archive, and what it unpacks it into."""
    if named and "." in name:
        return folder / name, folder / f"{name[: name.find('.')]}_extracted"
    return folder / f"{name}_archive", folder / name


def archive_formats(given: Any) -> list[str]:
    """The formats that are tried."""
    formats = ["tar", "zip"] if given == "auto" else [given] if isinstance(given, str) else list(given or [])
    for word in formats:
        if word not in ("tar", "zip"):
            raise ArgumentError(f"get_file: archive_format is 'tar', 'zip', 'auto', a list or None; got {given!r}.")
    return formats


def unpack(archive: pathlib.Path, folder: pathlib.Path, formats: list[str]) -> None:
    """Unpacks an archive into a folder, all of it or nothing.

    Raises:
        DataError: it is none of the formats, is damaged, or has members that belong elsewhere; a tar file before Python 3.11.4.
    """
    extract = next((how for word, how in UNPACKERS.items() if word in formats and OPENERS[word](archive)), None)
    if extract is None:
        raise DataError(f"{archive} is no archive of the formats {', '.join(formats) or 'given: none'}.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as beside:
        try:
            extract(archive, pathlib.Path(beside))
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
            raise DataError(f"{archive} was not unpacked: {error}.") from error
        folder.mkdir(exist_ok=True)
        shutil.copytree(beside, folder, dirs_exist_ok=True, symlinks=True)


def unpack_tar(archive: pathlib.Path, folder: pathlib.Path) -> None:
    if not hasattr(tarfile, "data_filter"):  # Python 3.11 has it from 3.11.4 on
        raise DataError(
            f"{archive} was not unpacked: Python {platform.python_version()} cannot keep a tar file's members inside of a folder. "
            "Use Python 3.11.4 or a later one, or unpack the file yourself."
        )
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")  # refuses absolute paths, .., links that leave, and devices


def unpack_zip(archive: pathlib.Path, folder: pathlib.Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for path in outside(file):
            raise DataError(f"{archive} was not unpacked: its member {path!r} would be written outside of the folder.")
        file.extractall(folder)


def outside(file: zipfile.ZipFile) -> Iterator[str]:
    """The names of members that are no plain paths below the folder they are written to."""
    for name in file.namelist():
        parts = pathlib.PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or (len(name) > 1 and name[1] == ":"):
            yield name


OPENERS: dict[str, Callable[[pathlib.Path], bool]] = {"tar": tarfile.is_tarfile, "zip": zipfile.is_zipfile}
UNPACKERS: dict[str, Callable[[pathlib.Path, pathlib.Path], None]] = {"tar": unpack_tar, "zip": unpack_zip}
