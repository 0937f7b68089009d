"""The errors refnet raises, each also the built-in kind that Python and Keras users expect."""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ContextDecorator, contextmanager
from typing import Any


class RefnetError(Exception):
    """Base of every error that refnet raises on purpose."""

    placed = False  # whether the message says in which layer it happened


class ShapeError(RefnetError, ValueError):
    """Shapes that do not fit an op or a layer."""


class DtypeError(RefnetError, TypeError):
    """A dtype that an op or a layer cannot take."""


class NoValueError(DtypeError):
    """A tensor that was asked for what only values tell: it stands for them until a program runs."""


class ArgumentError(RefnetError, ValueError):
    """An argument outside what an op, a layer or a method accepts."""


class MissingArgumentError(ArgumentError, TypeError):
    """An argument without a default that was not given, or one too many."""


class DataError(RefnetError, ValueError):
    """Values in the user's data that cannot be right: labels outside the classes, indices outside an axis."""


class OutOfMemoryError(RefnetError, MemoryError):
    """Arrays that the memory does not hold."""


class EngineError(RefnetError, RuntimeError):
    """An engine that is unknown, not installed, or has no device to run on."""


class MissingFileError(RefnetError, FileNotFoundError):
    """A file or a folder that is not there, or a data set that cannot be fetched either."""


class PlaceError(RefnetError, OSError):
    """A place to which a file cannot be written."""


class FileError(RefnetError, ValueError):
    """A file that is damaged, or holds something else than what it should."""


class MissingPackageError(RefnetError, ImportError):
    """A package that only some uses of refnet need, and that is not installed."""


class MissingNameError(RefnetError, AttributeError):
    """A name of Keras 2 that has no meaning here."""


class UsageError(RefnetError, TypeError):
    """An object used as what it is not."""


class in_memory(ContextDecorator):
    """Inside, an array that the memory does not hold raises OutOfMemoryError, in words that say what was done."""

    def __init__(self, what: str):
        self.what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, MemoryError) and not isinstance(error, OutOfMemoryError):
            raise OutOfMemoryError(f"{self.what}: there is not enough memory. {error}") from error


@contextmanager
def called_as(name: str, *inner: str) -> Iterator[None]:
    """Around, or as a decorator of, an op made of others: where one of these refuses, the message names the op that was called."""
    try:
        yield
    except RefnetError as error:
        text = str(error)
        for op in inner:
            if re.match(rf"{re.escape(op)}\b", text):
                error.args = (name + text[len(op) :],)
                break
        raise


def in_layer(error: RefnetError, name: str) -> None:
    """Puts the name of the layer in which an op refused before the error's message, unless the message names a layer."""
    if not error.placed:
        text = str(error)
        error.args = (text if re.search(rf"\b{re.escape(name)}\b", text) else f"{name}: {text}",)
        error.placed = True


def in_users_code(error: Exception, where: str) -> None:
    """Notes, under an error that other code raised in a function of the user's, which function it was and what it was given."""
    if not getattr(error, "__notes__", None):
        error.add_note(
            f"{where}: its inputs are tensors of refnet. refnet.ops computes with them, other packages cannot."
        )


@contextmanager
def told_by(who: str) -> Iterator[None]:
    """Around a function that the user may have written: an error that another package raised in it gets a note that names it."""
    try:
        yield
    except NoValueError as error:
        error.args = (f"{who}: {error}",)
        raise
    except RefnetError:  # the message names the op, and losses are named like their ops
        raise
    except Exception as error:
        in_users_code(error, f"in {who}")
        raise


def foreign(value: object) -> str:
    """A sentence, after a space, on an object, a class or a function of another library for networks; empty for others."""
    maker = value if isinstance(value, type) or hasattr(value, "__name__") else type(value)
    package = str(getattr(maker, "__module__", None)).partition(".")[0]
    if package not in ("keras", "tf_keras", "tensorflow", "torch", "jax", "flax"):
        return ""
    return f" It is of the package {package}, which cannot be mixed with refnet: take what has its name in refnet."


def refuse_others(method: str, function: Callable[..., Any], more: dict[str, Any]) -> None:
    """Raises MissingArgumentError where a call has words that a method does not know."""
    known = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    for word in more:
        raise MissingArgumentError(f"{method} has no argument {word!r}.{did_you_mean(word, known[1:])}")


def calls_below_the_user() -> int:
    """The `stacklevel` of a warning that the one who calls this gives, so that it names a line outside refnet."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("refnet."):
        frame, depth = frame.f_back, depth + 1
    return depth


def shown(value: object) -> str:
    """A wrong argument as messages quote it: an array by its shape, not by its numbers."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and not isinstance(value, type):
        return f"a {type(value).__name__} of shape {shape}"
    return repr(value)


def in_words(size: int) -> str:
    """Bytes as messages say them."""
    unit, name = next(
        u for u in ((2**30, "GB"), (2**20, "MB"), (2**10, "KB"), (1, "bytes")) if size >= u[0] or u[0] == 1
    )
    return f"{size / unit:,.1f} {name}" if unit > 1 else f"{size} bytes"


def did_you_mean(name: object, known: Sequence[str]) -> str:
    """' Did you mean ...?' with the nearest known names, or the list of all of them."""
    import difflib

    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.6)
    if not near and len(str(name)) > 1:  # a part of a name: "f1"
        near = [other for other in sorted(known, key=str.lower) if str(name).lower() in other.lower()][:3]
    if near:
        return " Did you mean " + " or ".join(repr(n) for n in near) + "?"
    return " Known: " + ", ".join(sorted(known)) + "."


def without_tape(self: object) -> None:
    """What programs for a tape, or for PyTorch's gradients, look for: an attribute that is not here, and what to write instead."""
    raise AttributeError(
        "gradients come without a tape or backward(): in a step write  gradients = ops.gradients(loss, self.trainable_variables)  and  "
        "self.optimizer.apply(gradients, self.trainable_variables);  outside of one, refnet.grad(function)(array). There is no zero_grad: "
        "gradients are new each time."
    )
