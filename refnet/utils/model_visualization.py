"""Pictures of models: their layers as boxes, what flows between them as arrows; drawn by matplotlib (the extra `viz`)."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from refnet.errors import ArgumentError, MissingPackageError
from refnet.paths import as_path
from refnet.structure import flatten
from refnet.utils.layered_layout import Layout, layered

LINE = 0.24  # inches
LETTER = 0.095
ENDINGS = ("png", "pdf", "svg", "jpg", "jpeg")


class Box(NamedTuple):
    """A layer's call in a picture: its lines of text, and the numbers of the boxes it comes from."""

    lines: tuple[str, ...]
    sources: tuple[int, ...]


class Shown(NamedTuple):
    """What the boxes say beside the layer's class."""

    shapes: bool
    dtype: bool
    names: bool
    activations: bool
    trainable: bool
    nested: bool

    def lines(self, layer: Any, inputs: Any, outputs: Any) -> tuple[str, ...]:
        """The text of a layer's box."""
        lines = [f"{layer.name} ({type(layer).__name__})" if self.names else type(layer).__name__]
        activation = getattr(layer, "activation", None)
        if self.activations and activation is not None:
            lines.append(f"activation: {getattr(activation, '__name__', type(activation).__name__)}")
        if self.shapes:
            lines += [f"{word}: {shapes_of(x)}" for word, x in (("in", inputs), ("out", outputs)) if flatten(x)]
        if self.dtype and flatten(outputs):
            lines.append(f"dtype: {', '.join(dict.fromkeys(y.dtype for y in flatten(outputs)))}")
        if self.trainable and layer.weights:
            lines.append("trainable" if layer.trainable else "not trainable")
        return tuple(lines)


def shapes_of(tensors: Any) -> str:
    return ", ".join(str(x.shape) for x in flatten(tensors))


class Reader:
    """Goes through a model's graph and lists its boxes."""

    def __init__(self, shown: Shown):
        self.shown, self.boxes = shown, list[Box]()

    def visit(self, model: Any, given: dict[Any, tuple[int, ...]]) -> dict[Any, tuple[int, ...]]:
        """Adds a model's boxes. `given` says from which boxes its inputs come; the result, from which every tensor does."""
        came = dict(given)
        outer = model.graph.outer_calls()
        for x in model.graph.inputs:
            if x not in came:
                layer = x.origin if getattr(x, "origin", None) is not None else None
                lines = ("Input",) if layer is None else self.shown.lines(layer, [], x)
                came[x] = self.add(lines, ())
        for call in outer:
            sources = self.sources(flatten(call.inputs), came, outer)
            inner = getattr(call.layer, "graph", None)
            if self.shown.nested and inner is not None:
                feeds = {x: self.came_from(y, came, outer) for x, y in zip(inner.inputs, flatten(call.inputs))}
                inside = self.visit(call.layer, feeds)
                ends = inner.outer_calls()
                came.update({y: self.came_from(x, inside, ends) for y, x in zip(flatten(call.outputs), inner.outputs)})
            else:
                number = self.add(self.shown.lines(call.layer, call.inputs, call.outputs), sources)
                came.update(dict.fromkeys(flatten(call.outputs), number))
        for y in model.graph.outputs:
            self.came_from(y, came, outer)
        return came

    def add(self, lines: tuple[str, ...], sources: tuple[int, ...]) -> tuple[int, ...]:
        self.boxes.append(Box(lines, sources))
        return (len(self.boxes) - 1,)

    def sources(self, tensors: Iterable[Any], came: dict[Any, tuple[int, ...]], outer: list[Any]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(number for x in tensors for number in self.came_from(x, came, outer)))

    def came_from(self, x: Any, came: dict[Any, tuple[int, ...]], outer: list[Any]) -> tuple[int, ...]:
        """The boxes a tensor comes from. An op outside of all layers gets a box of its own."""
        if x in came or getattr(x, "node", None) is None:
            return came.get(x, ())
        call = x.node.call
        while call is not None and call not in outer:
            call = call.parent
        if call is not None and flatten(call.outputs)[0] in came:
            return came[flatten(call.outputs)[0]]
        sources = self.sources(x.node.inputs, came, outer)
        lines = (x.node.op.name, f"out: {x.shape}") if self.shown.shapes else (x.node.op.name,)
        found = self.add(lines, sources)
        came.update(dict.fromkeys(x.node.outputs, found))
        return found


def boxes_of(model: Any, shown: Shown) -> list[Box]:
    """The boxes of a model. Raises ArgumentError if its graph is not known."""
    if getattr(model, "graph", None) is None:
        name = getattr(model, "name", repr(model))
        raise ArgumentError(
            f"plot_model: the graph of {name} is not known: it is a subclass of Model, or a Sequential that is not built. "
            "Call a Sequential on data, or give it an Input, first."
        )
    reader = Reader(shown)
    reader.visit(model, {})
    return reader.boxes


def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **more: Any,
) -> Any:
    """A picture of a model in a file. Needs matplotlib alone, no Graphviz.

    Args:
        model: a built Sequential or a functional model.
        to_file: ends in .png, .pdf, .svg or .jpg; None: no file.
        show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable: what the boxes say.
        rankdir: "TB" from top to bottom, "LR" from left to right.
        expand_nested: whether the layers of inner models are shown instead of these.
        dpi: dots per inch.
        splines: of `model_to_dot`; the picture's lines are straight.
    Returns:
        The matplotlib Figure.
    Raises:
        ArgumentError: a model whose graph is not known; another ending or rankdir.  MissingPackageError: no matplotlib.
    Source: Keras 3 `utils.plot_model`.
    """
    if more:
        raise ArgumentError(f"plot_model has no argument {next(iter(more))!r}.")
    if rankdir not in ("TB", "LR"):
        raise ArgumentError(f"plot_model: rankdir is 'TB' or 'LR'; got {rankdir!r}.")
    if to_file is not None and as_path("plot_model", to_file).suffix[1:].lower() not in ENDINGS:
        raise ArgumentError(f"plot_model: to_file ends in {', '.join('.' + e for e in ENDINGS)}; got {str(to_file)!r}.")
    shown = Shown(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable, expand_nested)
    figure = drawn(boxes_of(model, shown), rankdir == "LR")
    if to_file is not None:
        figure.savefig(to_file, dpi=dpi)
    return figure


def drawn(boxes: list[Box], sideways: bool) -> Any:
    """The boxes as a matplotlib Figure."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyBboxPatch
    except ImportError:
        raise MissingPackageError(
            "pictures of models are drawn by matplotlib, which is not installed: pip install 'refnet[viz]'"
        ) from None
    sizes = [(LETTER * max(map(len, b.lines)) + 0.3, LINE * len(b.lines) + 0.16) for b in boxes]
    layout: Layout = layered(sizes, [b.sources for b in boxes], sideways)
    figure = Figure(figsize=(max(layout.width, 1), max(layout.height, 1)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, max(layout.width, 1))
    axes.set_ylim(max(layout.height, 1), 0)
    axes.axis("off")
    for path in layout.paths:
        *_, before, end = path
        axes.plot([x for x, _ in path[:-1]], [y for _, y in path[:-1]], color="0.45", linewidth=1, zorder=1)
        arrow = {"arrowstyle": "-|>", "color": "0.45", "linewidth": 1, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", end, before, arrowprops=arrow, zorder=1)
    for box, (x, y), (width, height) in zip(boxes, layout.centres, sizes):
        style: dict[str, Any] = {
            "boxstyle": "round,pad=0,rounding_size=0.08",
            "facecolor": "#eef3fb",
            "edgecolor": "#33527f",
        }
        axes.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, zorder=2, **style))
        for i, line in enumerate(box.lines):
            at = y + LINE * (i - (len(box.lines) - 1) / 2)
            weight = "bold" if i == 0 else "normal"
            axes.text(x, at, line, ha="center", va="center", fontsize=9, weight=weight, zorder=3)
    return figure


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **more: Any,
) -> str:
    """A model as a text in Graphviz's language DOT.

    Args:
        splines: how Graphviz draws lines: "ortho" with right angles, "line", "curved", "spline".
        subgraph: whether the text begins with `subgraph`, to stand inside of another.
        The rest: see `plot_model`.
    Returns:
        The text; `pydot.graph_from_dot_data` reads it, and so does the program `dot`.
    Source: Keras 3 `utils.model_to_dot` (which returns an object of pydot's).

    >>> from refnet import Sequential, layers
    >>> print(model_to_dot(Sequential([layers.Input((4,)), layers.Dense(2, name="out")]), show_layer_names=False))
    digraph model {
      graph [rankdir=TB, splines=ortho, dpi=200];
      node [shape=box, style=rounded];
      n0 [label="InputLayer"];
      n1 [label="Dense"];
      n0 -> n1;
    }
    """
    if more:
        raise ArgumentError(f"model_to_dot has no argument {next(iter(more))!r}.")
    shown = Shown(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable, expand_nested)
    boxes = boxes_of(model, shown)
    lines = [f"{'subgraph' if subgraph else 'digraph'} model {{"]
    lines += [f"  graph [rankdir={rankdir}, splines={splines}, dpi={dpi}];", "  node [shape=box, style=rounded];"]
    quoted = [r"\n".join(box.lines).replace('"', r"\"") for box in boxes]
    lines += [f'  n{i} [label="{text}"];' for i, text in enumerate(quoted)]
    lines += [f"  n{source} -> n{i};" for i, box in enumerate(boxes) for source in box.sources]
    return "\n".join([*lines, "}"])
