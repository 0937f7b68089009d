"""The table that `model.summary()` prints."""

import re
from typing import Any

from refnet.errors import ArgumentError
from refnet.graph import Variable
from refnet.structure import flatten, mapped


def summary_lines(
    model: Any,
    line_length: int | None = None,
    positions: Any = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
) -> list[str]:
    """The table's lines: a row per layer with its output shape and number of parameters; then the totals."""
    branched = not _is_chain(model)
    header = ["Layer (type)", "Output Shape", "Param #"] + ["Connected to"] * branched + ["Trainable"] * show_trainable
    rows = [
        [*_row(inside, layer, branched, "   " * depth + "└ " if depth else ""), *[_trained(layer)] * show_trainable]
        for layer in _in_range(model, layer_range)
        for inside, layer, depth in _nested(model, layer, expand_nested)
    ]
    widths = [max(len(line) for row in [header, *rows] for line in row[i].split("\n")) for i in range(len(header))]
    if positions is not None:
        _spread(widths, positions, line_length or 88)
    elif line_length is not None:
        widths[0] += max(0, line_length - sum(widths) - 3 * len(widths) - 1)
    right = [False, False, True, False, False]
    bars = ["─" * (w + 2) for w in widths]
    lines = [f'Model: "{model.name}"', "┌" + "┬".join(bars) + "┐", *_cells(header, widths, right)]
    for row in rows:
        lines += ["├" + "┼".join(bars) + "┤", *_cells(row, widths, right)]
    lines.append("└" + "┴".join(bars) + "┘")
    slots = model.optimizer.variables if model.optimizer is not None and model.optimizer.built else []
    lines.append(_sum("Total params", model.weights + slots))
    lines.append(_sum("Trainable params", model.trainable_weights))
    lines.append(_sum("Non-trainable params", model.non_trainable_weights))
    return lines + [_sum("Optimizer params", slots)] * bool(slots)


def _nested(model: Any, layer: Any, expand: bool, depth: int = 0) -> list[tuple[Any, Any, int]]:
    """(the model it is in, layer, depth) of a layer and, if they are wanted, of those inside it."""
    inner = getattr(layer, "layers", None) if expand else None
    inside = [row for child in inner or [] for row in _nested(layer, child, expand, depth + 1)]
    return [(model, layer, depth), *inside]


def _in_range(model: Any, names: Any) -> list[Any]:
    """The layers from the first whose name fits `names[0]` to the last whose name fits `names[1]`."""
    layers = model.layers
    if names is None:
        return list(layers)
    if not isinstance(names, (list, tuple)) or len(names) != 2 or not all(isinstance(n, str) for n in names):
        raise ArgumentError(f"{model.name}.summary: layer_range is a pair of names or patterns; got {names!r}.")
    ends = []
    for name in names:
        places = [i for i, x in enumerate(layers) if x.name == name or re.match(name, x.name)]
        if not places:
            raise ArgumentError(
                f"{model.name}.summary: no layer's name fits {name!r}. Its layers: {', '.join(x.name for x in layers)}."
            )
        ends.append(places)
    first, last = sorted((ends[0][0], ends[1][-1]))
    return list(layers[first : last + 1])


def _spread(widths: list[int], positions: Any, line_length: int) -> None:
    """Widens columns to where `positions` says they end; none becomes narrower than its texts."""
    before = 0
    for i, position in enumerate(list(positions)[: len(widths)]):
        end = int(position * line_length) if 0 < position <= 1 else int(position)
        widths[i] = max(widths[i], end - before - 3)
        before = end


def _trained(layer: Any) -> str:
    return "-" if not layer.weights else "Y" if layer.trainable else "N"


def _cells(row: list[str], widths: list[int], right: list[bool]) -> list[str]:
    parts = [cell.split("\n") for cell in row]
    height = max(map(len, parts))
    lines = []
    for i in range(height):
        texts = [part[i] if i < len(part) else "" for part in parts]
        lines.append(
            "│" + "│".join(f" {t:>{w}} " if r else f" {t:<{w}} " for t, w, r in zip(texts, widths, right)) + "│"
        )
    return lines


def _row(model: Any, layer: Any, branched: bool, before: str = "") -> list[str]:
    shape = _output_shape(model, layer)
    params = f"{_count(layer.weights):,}" if layer.built else "0 (unbuilt)"
    cells = [f"{before}{layer.name} ({type(layer).__name__})", shape, params]
    return [*cells, _sources(model, layer)] if branched else cells


def _calls(model: Any, layer: Any) -> list[Any]:
    return [] if model.graph is None else [call for call in model.graph.outer_calls() if call.layer is layer]


def _output_shape(model: Any, layer: Any) -> str:
    if hasattr(layer, "batch_shape"):
        return str(layer.batch_shape)
    calls = _calls(model, layer) or layer._calls_made[:1]
    if not calls:
        return "?"
    shapes = mapped(lambda y: y.shape, calls[0].outputs)
    return (
        ", ".join(str(y.shape) for y in flatten(calls[0].outputs))
        if isinstance(shapes, (list, tuple, dict))
        else str(shapes)
    )


def _sources(model: Any, layer: Any) -> str:
    names: list[str] = []
    outer = set(model.graph.outer_calls())
    for call in _calls(model, layer):
        for x in flatten(call.inputs):
            if x in model.graph.input_layers:
                names.append(model.graph.input_layers[x].name)
                continue
            source = x.node.call if x.node is not None else None
            while source is not None and source not in outer:
                source = source.parent
            names.append(
                source.layer.name if source is not None else x.name or (x.node.op.name if x.node else "constant")
            )
    return "\n".join(dict.fromkeys(names)) or "-"


def _is_chain(model: Any) -> bool:
    """Whether each layer is called once, on what the one before it returned."""
    if model.graph is None:
        return True
    calls = model.graph.outer_calls()
    if len(model.graph.inputs) != 1 or len({call.layer for call in calls}) != len(calls):
        return False
    before = model.graph.inputs[0]
    for call in calls:
        if call.inputs is not before:
            return False
        before = call.outputs
    return True


def _count(variables: list[Variable]) -> int:
    total = 0
    for v in variables:
        total += v.array.size
    return total


def _sum(word: str, variables: list[Variable]) -> str:
    size = float(sum(v.array.nbytes for v in variables))
    unit = "B"
    for larger in ("KB", "MB", "GB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f" {word}: {_count(variables):,} ({size:.2f} {unit})"
