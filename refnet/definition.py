"""What an op is: a loop over tasks, which is its definition, and the rules around it.

A definition is an ordinary function

    loop(tasks, *inputs, *attributes, *outputs, *scratch)

over `tasks`, the independent pieces of its work, normally one per output element. It reads its inputs, writes its outputs,
allocates nothing and draws nothing. Elements arrive wide (float64, int64, uint64 or bool, whatever the stored dtype) and a
result is rounded once, when it is stored. An elementwise op has instead a *scalar* function of one element each; its loop
is always the same: apply it everywhere.
"""

import math
from collections.abc import Callable, Container, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from refnet.annotations import Shape
from refnet.axes import Axes
from refnet.errors import ArgumentError, ShapeError

if TYPE_CHECKING:
    from refnet.graph import Tensor


class Spec(NamedTuple):
    """What is known of an array before it exists. A dimension is None until a program is planned."""

    shape: Shape
    dtype: str


class View(NamedTuple):
    """How a loop sees a row-major array: its own shape, and strides in elements (None: row-major as well)."""

    shape: Shape
    strides: tuple[int, ...] | None = None
    offset: int = 0

    def lies_inside(self, size: int) -> bool:
        """Whether every element it shows is one of an array of so many elements."""
        if self.strides is None:
            return self.offset == 0 and size_of(self.shape) == size
        if len(self.shape) != len(self.strides):
            return False
        if 0 in self.shape:
            return True
        reaches: list[int] = [(extent - 1) * stride for extent, stride in zip(self.shape, self.strides)]
        first = self.offset + sum(reach for reach in reaches if reach < 0)
        last = self.offset + sum(reach for reach in reaches if reach > 0)
        return first >= 0 and last < size


class Form(NamedTuple):
    """A call in canonical form: what the loop is given, whatever the rank of the user's arrays.

    inputs, outputs: a View each.  attributes: integers, floats, bools and tuples of them, in the loop's order.
    domain: there is one task for every index of this shape.  cost: multiply-adds a task, roughly.
    scratch: shapes of arrays (float64) that each task may scribble on.
    """

    inputs: tuple[View, ...]
    attributes: tuple[Any, ...]
    outputs: tuple[View, ...]
    domain: Shape
    cost: float = 1
    scratch: tuple[Shape, ...] = ()


MOST = 2**58  # elements of an array: more cannot be addressed
SpecLike: TypeAlias = "Spec | Tensor"  # what rules and forms are given: anything with a shape and a dtype


def whole(spec: SpecLike) -> View:
    """The View of an array as it is."""
    return View(tuple(spec.shape))


def size_of(shape: Iterable[int]) -> int:
    return math.prod(shape)


class Op:
    """What an op means; nothing of any engine.

    Args:
        name: unique; kernels and the registry go by it.
        rule: `rule(*specs, **attributes)` gives the Spec (or a tuple of Specs) of the result, for shapes with None too, and
            raises ShapeError, DtypeError or ArgumentError in the user's words.
        loop: the definition (see above), or
        scalar: of an elementwise op, the function of one element of each input, then the attributes; it returns one value,
            or a tuple of as many as there are outputs.
        expand: instead of a loop, a function that writes the op with other ops once every shape is known.
        form: `form(*specs, **attributes)` gives the Form for concrete specs. Default: arrays as they are, attributes by
            declaration order, one task per element of the first output. Elementwise ops have their own.
        gradient: `gradient(node, *dys)` gives one tensor (or None) per input, written as ops. `node` has inputs, outputs
            and attributes; a dy is None where nothing flows.
        ranges: `ranges(*specs, **attributes)` gives {input position: (low, high)}: integers that must lie in low..high-1.
        variadic: any number of inputs of one dtype and rank; the loop gets them as one tuple of arrays.
        random: the op draws; its attribute `place` and its input, the run counter, are filled in by the program.
        takes_shape: the attribute `shape` may have None entries, each given by one of the last inputs.
        axes: the inputs' axes by name, as `refnet.axes` writes them: the last wall before a loop that trusts one input's extents
            for another's. Where public functions check more kindly before, it only meets calls of the op itself.
        axis_of: the input whose axis the attribute `axis` counts, where the op has one; None if it counts the result's.
        shape_only: positions of inputs that are read for their shape alone.
        attributes: the names of the attributes in the loop's order (default: the order of the call's keywords).
        spoken: what messages call it, where users never call it by its name.
    """

    named: dict[str, "Op"] = {}

    def __init__(
        self,
        name: str,
        rule: Callable[..., Spec | tuple[Spec, ...]],
        *,
        loop: Callable[..., None] | None = None,
        scalar: Callable[..., Any] | None = None,
        expand: Callable[..., Any] | None = None,
        form: Callable[..., Form] | None = None,
        gradient: Callable[..., Sequence[Any]] | None = None,
        ranges: Callable[..., dict[int, tuple[int, int]]] | None = None,
        variadic: bool = False,
        random: bool = False,
        takes_shape: bool = False,
        axes: str | None = None,
        axis_of: int | None = 0,
        shape_only: Container[int] = (),
        attributes: tuple[str, ...] | None = None,
        spoken: str | None = None,
    ):
        if name in Op.named:
            raise ValueError(f"there is already an op called {name!r}")
        self.name, self.rule, self.loop, self.scalar, self.expand = name, rule, loop, scalar, expand
        self._form, self.gradient, self.ranges = form, gradient, ranges
        self.variadic, self.random, self.takes_shape, self.shape_only = variadic, random, takes_shape, shape_only
        self.attributes, self.spoken = attributes, spoken or name
        self.axes, self.axis_of = Axes(axes) if axes is not None else None, axis_of
        Op.named[name] = self

    def __repr__(self) -> str:
        return self.name

    @property
    def primitive(self) -> bool:
        return self.loop is not None or self.scalar is not None

    def specs(self, *inputs: SpecLike, **attributes: Any) -> tuple[Spec, ...]:
        """The Spec of each output."""
        if self.axes is not None:
            self.axes.check(self.spoken, [tuple(x.shape) for x in inputs])
        if "axis" in attributes and self.axis_of is not None:
            self._must_have_the_axis(attributes["axis"], tuple(inputs[self.axis_of].shape))
        if self.random:
            self._must_have_a_key(attributes)
        result = self.rule(*inputs, **attributes)
        specs = (result,) if isinstance(result, Spec) else tuple(result)
        for spec in specs:
            if any(d is not None and d < 0 for d in spec.shape):
                raise ShapeError(
                    f"{self.name}: an axis cannot have {min(d for d in spec.shape if d is not None)} places."
                )
            if math.prod(d or 1 for d in spec.shape) > MOST:
                raise ShapeError(f"{self.name}: a result of shape {tuple(spec.shape)} is larger than any memory.")
        if self.ranges is not None and all(None not in x.shape for x in inputs):
            self._must_have_places(inputs, attributes)
        return specs

    def _must_have_the_axis(self, axis: int, shape: Shape) -> None:
        if not 0 <= axis < len(shape):
            raise ArgumentError(
                f"op {self.spoken}: there is no axis {axis} in an array of shape {shape}. Ops take axes counted from 0; call "
                f"refnet.ops to have any brought into that form."
            )

    def _must_have_a_key(self, attributes: dict[str, Any]) -> None:
        """Raises ArgumentError for words that the generator cannot count with: what is drawn from them need not lie in 0..1."""
        for word in ("seed", "place"):
            value = attributes[word]
            if value is not None and not 0 <= value < 2**32:
                raise ArgumentError(f"{self.spoken}: {word} is a number in 0..2**32-1; got {value}.")

    def _must_have_places(self, inputs: Sequence[SpecLike], attributes: dict[str, Any]) -> None:
        """Raises ShapeError for indices into nothing: a kernel, which clamps indices, would have nothing to clamp them to."""
        assert self.ranges is not None
        for position, (low, high) in self.ranges(*inputs, **attributes).items():
            shape = tuple(inputs[position].shape)
            if high <= low and 0 not in shape:
                raise ShapeError(
                    f"{self.spoken}: indices of shape {shape} have nothing to point at; what they pick from is empty."
                )

    def form(self, *specs: SpecLike, **attributes: Any) -> Form:
        """The canonical form of a call whose shapes are all known.

        Raises:
            ArgumentError: attributes with which it would reach outside of its arrays. No public function gives any.
        """
        outputs = self.specs(*specs, **attributes)
        if self._form is not None:
            form = self._form(*specs, **attributes)
            for view, spec in zip((*form.inputs, *form.outputs), (*specs, *outputs)):
                if not view.lies_inside(size_of(spec.shape)):
                    raise ArgumentError(
                        f"op {self.name}: with the attributes {attributes} it would reach outside of an array of shape "
                        f"{tuple(spec.shape)}. Ops take attributes as their public functions give them, an axis "
                        f"counted from 0 for example; call refnet.ops to have them checked and brought into that form."
                    )
            return form
        if self.scalar is not None:
            return elementwise_form(specs, outputs, self.ordered(attributes))
        views = tuple(whole(s) for s in specs), tuple(whole(s) for s in outputs)
        return Form(views[0], self.ordered(attributes), views[1], tuple(outputs[0].shape))

    def ordered(self, attributes: dict[str, Any]) -> tuple[Any, ...]:
        """The attributes' values in the loop's order."""
        names = self.attributes if self.attributes is not None else tuple(attributes)
        return tuple(attributes[name] for name in names)

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        """A node on symbolic tensors; on arrays the result, computed at once (by which engine: see `engine.compute`)."""
        from refnet import graph

        return graph.call(self, inputs, attributes)


def elementwise_form(inputs: Sequence[SpecLike], outputs: Sequence[SpecLike], attributes: tuple[Any, ...]) -> Form:
    """Operands as strided views of the result's shape (stride 0 where repeated), neighbouring axes joined where possible."""
    shape = tuple(outputs[0].shape)
    strides = [broadcast_strides(tuple(x.shape), shape) for x in inputs]
    joined, columns = join_axes(shape, strides)
    views = tuple(View(joined, tuple(column)) for column in columns)
    return Form(views, attributes, tuple(View(joined) for _ in outputs), joined)


def row_major(shape: Shape) -> list[int]:
    """The strides, in elements, of a row-major array."""
    strides: list[int] = []
    step = 1
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return strides[::-1]


def broadcast_strides(shape: Shape, target: Shape) -> list[int]:
    """The strides with which a row-major array of `shape` is read as one of `target`'s shape."""
    own = row_major(shape)
    missing = len(target) - len(shape)
    return [0] * missing + [0 if extent == 1 else step for extent, step in zip(shape, own)]


def join_axes(shape: Shape, strides: Sequence[Sequence[int]]) -> tuple[Shape, list[list[int]]]:
    """The shape with neighbouring axes made one wherever every operand steps through them evenly."""
    axes: list[tuple[int, list[int]]] = []
    for axis, extent in enumerate(shape):
        if extent == 1 and len(shape) > 1:
            continue
        steps = [s[axis] for s in strides]
        if axes and all(outer == extent * step for outer, step in zip(axes[-1][1], steps)):
            axes[-1] = (axes[-1][0] * extent, steps)
        else:
            axes.append((extent, steps))
    if not axes:
        axes = [(size_of(shape), [0] * len(strides))]
    return tuple(extent for extent, _ in axes), [[steps[k] for _, steps in axes] for k in range(len(strides))]


def broadcast_shapes(name: str, *shapes: Shape) -> Shape:
    """The common shape, None where it is not known yet. Raises ShapeError, naming the op."""
    rank = max((len(s) for s in shapes), default=0)
    result: list[int | None] = []
    for column in zip(*([1] * (rank - len(s)) + list(s) for s in shapes)):
        known = {d for d in column if d is not None and d != 1}
        if len(known) > 1:
            raise ShapeError(
                f"{name} cannot combine the shapes {' and '.join(str(tuple(s)) for s in shapes)}: "
                f"axes must be equal, or 1, counted from the last; here they are {' and '.join(map(str, sorted(known)))}."
            )
        result.append(known.pop() if known else (None if None in column else 1))
    return tuple(result)
