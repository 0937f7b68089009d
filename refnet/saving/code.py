"""The one kind of code that a file may hold: the lambda of a Lambda layer, as Keras writes it. It is made again only if asked for."""

import base64
import binascii
import marshal
import types
from typing import Any

from refnet import registration
from refnet.errors import ArgumentError, FileError


def described(function: Any) -> dict[str, Any]:
    """A lambda as a configuration: its byte code, which only the same version of Python can read.

    Raises:
        ArgumentError: it closes over something else than numbers and strings.
    """
    closure = None if not function.__closure__ else [cell.cell_contents for cell in function.__closure__]
    defaults = None if function.__defaults__ is None else list(function.__defaults__)
    words = [*function.__code__.co_freevars, *("a default" for _ in defaults or [])]
    for word, value in zip(words, [*(closure or []), *(defaults or [])]):
        if not isinstance(value, (int, float, str, bool, type(None))):
            raise ArgumentError(
                f"a lambda that closes over {word}, a {type(value).__name__}, cannot be saved. Write a Layer subclass, or a named function that is "
                "registered with refnet.saving.register_keras_serializable()."
            )
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
    return {"class_name": "__lambda__", "config": {"code": code, "defaults": defaults, "closure": closure}}


def made(config: Any) -> Any:
    """The lambda again. It sees `np`, `ops`, `K` and `refnet`, and Python's builtins.

    Raises:
        FileError: safe mode is on, or the byte code is another Python's.
    """
    if registration.safe_mode():
        raise FileError(
            "the file holds a lambda as byte code, which is never run unless it is loaded with safe_mode=False; do that only if "
            "you trust its source."
        )
    if isinstance(config.get("value"), list):
        config = dict(zip(("code", "defaults", "closure"), config["value"]))
    try:
        code = marshal.loads(base64.decodebytes(config["code"].encode("ascii")))
    except (ValueError, EOFError, TypeError, binascii.Error):
        code = None
    if not isinstance(code, types.CodeType):
        raise FileError("the file holds a lambda that this version of Python cannot read.")
    import numpy as np

    import refnet

    scope = {"np": np, "ops": refnet.ops, "K": refnet.backend, "refnet": refnet, "keras": refnet}
    defaults = config.get("defaults")
    cells = tuple(types.CellType(value) for value in config.get("closure") or [])
    return types.FunctionType(code, scope, "<lambda>", None if defaults is None else tuple(defaults), cells or None)
