"""Files: written whole or not at all, and read without trusting what they say of themselves."""

import errno
import importlib
import io
import json
import os
import pathlib
import secrets
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

from refnet.errors import FileError, MissingFileError, MissingPackageError, PlaceError, RefnetError
from refnet.paths import as_path

LARGEST_JSON = 1 << 26  # bytes of a configuration
FREE_SIZE = 1 << 26  # an archive's member may unpack to so many bytes, whatever it was packed to,
EXPANSION = 100  # and beyond that to so many times what it takes in the archive; all members together likewise

# What reading a damaged file ends in, in json, zipfile, h5py, NumPy and where a configuration's values are used.
DAMAGE = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError, MemoryError),
    *(ArithmeticError, AssertionError, NotImplementedError, RuntimeError, EOFError, OSError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)


def h5py() -> ModuleType:
    """The package that reads and writes HDF5 files."""
    try:
        return importlib.import_module("h5py")
    except ImportError:
        raise MissingPackageError(
            'saving and loading weights needs the package h5py. Install it with: pip install -e ".[files]"'
        ) from None


@contextmanager
def reading(path: Any) -> Iterator[None]:
    """Turns what a damaged or hostile file ends in into an error that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise
    except RefnetError as error:
        if isinstance(error, (MissingPackageError, FileError)):
            raise type(error)(error if str(path) in str(error) else f"{path}: {error}") from error
        raise FileError(f"{path} cannot be loaded: {error}") from error
    except DAMAGE as error:
        raise FileError(
            f"{path} cannot be loaded: it is damaged or in another format ({type(error).__name__}: {str(error)[:300]})."
        ) from error


def checked_target(path: Any, overwrite: bool, folder: bool = False) -> pathlib.Path:
    """The path a file, or a folder, is about to be written to.

    Raises:
        PlaceError: a folder, where a file is meant.  FileExistsError: it exists and must not be replaced.
        MissingFileError: its folder does not exist.
    """
    target = as_path("the file to write", path)
    with writing(target):  # a name may be too long to ask for
        there, is_folder = target.exists(), target.is_dir()
    if folder and there and not (target / "config.json").is_file():
        raise FileExistsError(f"{target} exists and is no folder of a model: it is not replaced.")
    if is_folder and not folder:
        raise PlaceError(f"{target} is a folder; give the name of a file, inside of it for example.")
    if there and not overwrite:
        raise FileExistsError(f"{target} exists already; give overwrite=True to replace it.")
    if not target.parent.is_dir():
        raise MissingFileError(f"the folder {target.parent} does not exist; make it before saving into it.")
    return target


@contextmanager
def writing(path: Any) -> Iterator[None]:
    """Turns what the system answers where it cannot write into an error that names the place."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "Make room there, or choose another folder."
        elif error.errno == errno.ENAMETOOLONG:
            hint = "Choose a shorter name."
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT):
            hint = f"Nothing can be written to the folder {pathlib.Path(path).parent}; choose another one."
        else:
            hint = "Choose another place."
        raise PlaceError(f"{path} cannot be written: {error.strerror or error}. {hint}") from error


def write_atomically(path: Any, content: bytes) -> None:
    """Puts a file in place whole: whoever looks, at any moment, finds the old file or the new one.

    The content goes into a temporary file of the same folder, is brought to the disk, and takes the name last.

    Raises:
        PlaceError: it cannot be written there; nothing is left of it.
    """
    with writing(path):
        _put(pathlib.Path(path), content)


def _put(target: pathlib.Path, content: bytes) -> None:
    part = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # a file system that cannot bring a folder to the disk has done what it can
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_folder(path: Any, parts: dict[str, bytes]) -> None:
    """Puts a folder of files in place whole: the new folder is complete before it takes the name from an older one.

    Raises:
        PlaceError: it cannot be written there; nothing is left of it.
    """
    with writing(path):
        _put_folder(pathlib.Path(path), parts)


def _put_folder(target: pathlib.Path, parts: dict[str, bytes]) -> None:
    mark = f"{os.getpid()}.{secrets.token_hex(4)}"
    part, before = target.with_name(f".{target.name}.{mark}.part"), target.with_name(f".{target.name}.{mark}.old")
    part.mkdir()
    try:
        for name, content in parts.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            _put(part / name, content)
        if target.exists():
            target.rename(before)
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        if before.exists() and not target.exists():
            before.rename(target)
        raise
    shutil.rmtree(before, ignore_errors=True)


def folder_members(path: pathlib.Path) -> dict[str, bytes]:
    """The parts of a model that was saved as a folder. Raises FileError if one is missing or unreasonably large."""
    found: dict[str, bytes] = {}
    for name in ("metadata.json", "config.json", "model.weights.h5"):
        if not (path / name).is_file():
            if name == "metadata.json":
                continue
            raise FileError(f"the folder has no {name}: it is not a model that was saved with zipped=False.")
        if name.endswith(".json") and (path / name).stat().st_size > LARGEST_JSON:
            raise FileError(f"{name} has {(path / name).stat().st_size} bytes; a configuration has fewer.")
        found[name] = (path / name).read_bytes()
    for file in sorted((path / "assets").rglob("*")):
        if file.is_symlink():
            raise FileError(f"{file} is a link to elsewhere; such files are not read.")
        if file.is_file():
            found[file.relative_to(path).as_posix()] = file.read_bytes()
    return found


def members(content: bytes) -> dict[str, bytes]:
    """The parts of a `.keras` archive: its configuration, its metadata and its weights; nothing is unpacked to the disk.

    Raises:
        FileError: a part that is missing, twice there, unreasonably large, or under a name that leads elsewhere.
    """
    found: dict[str, bytes] = {}
    unpacked, room = 0, max(FREE_SIZE, EXPANSION * len(content))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            parts = info.filename.replace("\\", "/").split("/")
            if ".." in parts or parts[0] == "" or ":" in parts[0]:
                raise FileError(f"the archive holds a path that leads out of it: {info.filename!r}.")
            if info.filename in found:
                raise FileError(f"the archive holds {info.filename!r} twice.")
            known = info.filename in ("config.json", "metadata.json", "model.weights.h5")
            if info.is_dir() or not (known or info.filename.startswith("assets/")):
                found[info.filename] = b""
                continue
            limit = max(FREE_SIZE, EXPANSION * info.compress_size)
            if info.filename.endswith(".json"):
                limit = LARGEST_JSON
            if info.file_size > limit:
                raise FileError(f"{info.filename} says it has {info.file_size} bytes, of {info.compress_size} stored.")
            unpacked += info.file_size
            if unpacked > room:
                raise FileError(
                    f"its members say they have {unpacked} bytes and more, in an archive of {len(content)}."
                )
            with archive.open(info) as member:
                found[info.filename] = member.read(info.file_size)  # without a size it would unpack more than it gives
    for name in ("config.json", "model.weights.h5"):
        if name not in found:
            raise FileError(f"the archive has no {name}: it is not a .keras file.")
    return found


def parsed(text: str | bytes) -> dict[str, Any]:
    """A JSON object. Raises FileError for something else."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise FileError(f"the configuration must be a JSON object; got a {type(value).__name__}.")
    return value
