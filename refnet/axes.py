"""Which axes of an op's inputs have the same extent, written down: "batch time classes, batch labels, batch"."""

from collections.abc import Sequence
from typing import NamedTuple

from refnet.annotations import Shape
from refnet.errors import ShapeError


class Axis(NamedTuple):
    """An axis whose extent is a whole multiple of a named one."""

    factor: int
    name: str


class Axes:
    """The axes of each input of an op.

    Args:
        text: the inputs' axes, inputs separated by commas, axes by blanks. An axis is a name, or a number and a name ("4units"
            is an axis of four times as many places). A "*" in front stands for any leading axes, the same ones wherever it
            stands. An input that is just "?" may have any.
    """

    def __init__(self, text: str):
        self.text = text
        self.inputs = [
            None if word.strip() == "?" else [axis_of(part) for part in word.split()] for word in text.split(",")
        ]

    def check(self, op: str, shapes: Sequence[Shape]) -> None:
        """Raises ShapeError, naming the op, unless the shapes have these axes; an extent of None fits everything."""
        found: dict[str, int] = {}
        leading: Shape | None = None
        for axes, shape in zip(self.inputs, shapes):
            if axes is None:
                continue
            if axes[0].name == "*":
                axes, own = axes[1:], tuple(shape[: len(shape) - len(axes) + 1])
                shape = tuple(shape[len(own) :])
                leading = own if leading is None else leading
                if len(own) != len(leading) or any(None not in (a, b) and a != b for a, b in zip(own, leading)):
                    raise self.error(op, shapes, f"the leading axes are {leading} and {own}")
            if len(axes) != len(shape):
                raise self.error(op, shapes, f"one has {len(shape)} axes instead of {len(axes)}")
            for (factor, name), extent in zip(axes, shape):
                if extent is None:
                    continue
                if extent % factor:
                    raise self.error(op, shapes, f"{extent} is no multiple of {factor}")
                if found.setdefault(name, extent // factor) != extent // factor:
                    raise self.error(op, shapes, f"{name} is {found[name]} in one and {extent // factor} in another")

    def error(self, op: str, shapes: Sequence[Shape], why: str) -> ShapeError:
        came = ", ".join(str(tuple(shape)) for shape in shapes)
        return ShapeError(f"{op} needs arrays with the axes ({'), ('.join(self.text.split(', '))}); got {came}: {why}.")


def axis_of(text: str) -> Axis:
    name = text.lstrip("0123456789")
    return Axis(int(text[: len(text) - len(name)] or 1), name)
