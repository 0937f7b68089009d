"""A model as an ONNX file: the program of its inference, each op written as ONNX nodes."""

import pathlib
from collections.abc import Sequence
from typing import Any

from refnet.errors import ArgumentError, did_you_mean
from refnet.export import arranging, attention, elementwise, narrow, normalization, recurrent, reductions, windows
from refnet.export.writer import NEWEST_OPSET, OPSET, RULES, Exported, Writer
from refnet.graph import Mode, Tensor, trace
from refnet.models.functional import Graph
from refnet.ops.deferred import deferred_op
from refnet.program import Instruction, Program
from refnet.progress import tell
from refnet.saving.files import checked_target, write_atomically
from refnet.structure import mapped

# imported for their rules
FAMILIES = (arranging, attention, elementwise, normalization, recurrent, reductions, windows, narrow)
LARGEST = 2**31 - 1  # bytes of a protobuf message


def export_model(
    model: Any,
    filepath: Any,
    format: str = "tf_saved_model",
    verbose: Any = None,
    input_signature: Any = None,
    **more: Any,
) -> None:
    """Writes what a model computes in inference, for other programs. See `export_onnx`, the one format there is.

    Args:
        model: a built model.
        filepath: the file.
        format: "onnx". (Keras's default, "tf_saved_model", needs TensorFlow and is refused.)
        verbose, input_signature: as in `export_onnx`.
        more: `opset_version`, as in `export_onnx`.
    Raises:
        ArgumentError: another format.
    Source: Keras 3 `Model.export`.
    """
    if format != "onnx":
        raise ArgumentError(
            f"{model.name}.export writes format='onnx'; got {format!r}. To go on working with the model here or in Keras, save() "
            "it as a .keras file."
        )
    known = ("opset_version",)
    for word in more:
        if word not in known:
            raise ArgumentError(f"{model.name}.export has no argument {word!r}.{did_you_mean(word, known)}")
    export_onnx(model, filepath, verbose, input_signature, **more)


def export_onnx(
    model: Any, filepath: Any, verbose: Any = None, input_signature: Any = None, opset_version: int | None = None
) -> None:
    """Writes what a model computes in inference as an ONNX file, with its weights. A file is replaced whole or not at all.

    Open dimensions, that of the batch above all, stay open. Inputs and outputs have the names that `model.input_names` and
    `model.output_names` give; dtypes are the model's.

    Args:
        model: a functional model or a Sequential with known input shapes; or a subclass that was called or built, or
            gets input_signature.
        filepath: the file; its name usually ends in `.onnx`.
        verbose: whether to say what was written.
        input_signature: for a subclass: what it is called on, in its inputs' structure: tensors or arrays, whose shape and
            dtype are read. None for inputs like those of its first call.
        opset_version: of ONNX's operators, 18 to 22; 18 if None.
    Raises:
        MissingPackageError: without the package onnx.
        ArgumentError: an op that has no ONNX form here, named with its layer; a model that is not built, draws random numbers or
            changes variables in inference.
    Source: Keras 3 `export.export_onnx`; https://onnx.ai/onnx/operators/.
    """
    opset = OPSET if opset_version is None else opset_version
    if not isinstance(opset, int) or not OPSET <= opset <= NEWEST_OPSET:
        raise ArgumentError(
            f"{model.name}.export: opset_version must be an integer from {OPSET} to {NEWEST_OPSET}; got {opset_version!r}."
        )
    target = checked_target(filepath, overwrite=True)
    content = written(model, input_signature, opset)
    write_atomically(target, content)
    if verbose:
        tell(f"Saved artifact at '{pathlib.Path(filepath)}'.")


def written(model: Any, input_signature: Any = None, opset: int = OPSET) -> bytes:
    """The bytes of the file."""
    graph, names, output_names = traced(model, input_signature)
    program = Program(graph.inputs, graph.outputs, graph.assignments, Mode(False))
    if program.commits:
        changed = next(iter(program.commits)).name
        why = "draws random numbers" if changed == "run_counter" else f"changes {changed}"
        raise ArgumentError(
            f"{model.name}.export: an ONNX file computes outputs from inputs alone, but inference {why}. Leave out stateful layers "
            "and those that draw in inference too."
        )
    for instruction in program.instructions:
        if instruction.op.name not in RULES:
            what, advice = f"the op {instruction.op.spoken!r}", "Export the part of the model that does without it."
            if instruction.op is deferred_op:
                what, advice = "what waits for the length of an axis", "Give Input the length of that axis."
            raise ArgumentError(f"{place(model, instruction)}: {what} has no ONNX form here. {advice}")
    writer = Writer()
    make = writer.onnx.helper
    inputs = [start(writer, x, name) for x, name in zip(program.inputs, names)]
    for instruction in program.instructions:
        write(writer, model, instruction)
    outputs = []
    for y, name in zip(program.outputs, output_names):
        own = writer.fresh(name)
        writer.nodes.append(make.make_node("Identity", [writer.name_of(y)], [own], name=own))
        outputs.append(writer.value_info(own, y.dtype, [None if d is None else d for d in y.shape]))
    nodes, read = needed(writer.nodes, outputs)
    weights = [w for w in writer.initializers if w.name in read]
    body = make.make_graph(nodes, model.name, inputs, outputs, weights)
    told = make.make_opsetid("", opset)
    whole = make.make_model(
        body, opset_imports=[told], producer_name="refnet", ir_version=make.find_min_ir_version_for([told])
    )
    if whole.ByteSize() > LARGEST:
        raise ArgumentError(f"{model.name}.export: the model is larger than the 2 GB that one ONNX file holds.")
    checked(model, writer, whole)
    content: bytes = whole.SerializeToString()
    return content


def checked(model: Any, writer: Writer, whole: Any) -> None:
    """Raises ArgumentError, in ONNX's words, where the format does not allow what was written."""
    onnx = writer.onnx
    try:
        onnx.checker.check_model(whole, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ArgumentError(
            f"{model.name}.export: ONNX has no form of an operator for what it reads: {error}. Nodes are named after their layers; "
            "cast to float32 or int32 before that one."
        ) from None


def traced(model: Any, input_signature: Any) -> tuple[Graph, list[str], list[str]]:
    """The graph of a model, and the names of its inputs and outputs."""
    if input_signature is not None and model.graph is not None:
        raise ArgumentError(
            f"{model.name}.export: input_signature is for models whose inputs are open; this one begins with shapes "
            f"{[x.shape for x in model.graph.inputs]}. Leave it out; got {mapped(shape_or_self, input_signature)!r}."
        )
    if model.graph is None and (
        input_signature is not None or (model._built_graph is None and model._seen_inputs is not None)
    ):
        slots = model._seen_inputs if input_signature is None else given(input_signature)
        slots = mapped(lambda spec: slot(spec, input_signature), slots)
        with trace.inside(call=None, guard=(), training=None):
            outputs = model(slots)
        model._calls_made.pop()
        graph = Graph(slots, outputs)
        keys = list(outputs) if isinstance(outputs, dict) else [f"output_{i}" for i in range(len(graph.outputs))]
    elif model._built_graph is None:
        raise ArgumentError(
            f"{model.name}.export: the model is not built yet: call it once on its inputs, or build(input_shape), or give "
            "input_signature."
        )
    else:
        graph, keys = model._built_graph, model._output_names
    names = model._input_names or [x.name for x in graph.inputs]
    return graph, [name or f"input_{i}" for i, name in enumerate(names)], keys


def given(signature: Any) -> Any:
    """An input signature without the list around a single one."""
    is_list = isinstance(signature, list) and len(signature) == 1
    return signature[0] if is_list else signature


def shape_or_self(x: Any) -> Any:
    return getattr(x, "shape", x)


def slot(spec: Any, signature: Any) -> Tensor:
    """A tensor of the shape and dtype of what a signature gives; the whole of it is for the message."""
    shape = getattr(spec, "shape", None)
    if shape is None:
        raise ArgumentError(
            f"export: input_signature holds tensors or arrays, of which the shape and the dtype are read, layers.Input((28, 28)) "
            f"for example; got {signature!r}."
        )
    dtype = getattr(spec, "dtype", None)
    return Tensor(tuple(shape), "float32" if dtype is None else dtype, name=getattr(spec, "name", "") or "")


def start(writer: Writer, x: Tensor, wanted: str) -> Any:
    """An input of the graph: what stands in its first axis is the batch."""
    name = writer.fresh(wanted)
    writer.bind(x, name)
    shape: list[Any] = [
        (("batch" if axis == 0 else f"{name}_{axis}") if d is None else d) for axis, d in enumerate(x.shape)
    ]
    return writer.value_info(name, x.dtype, shape)


def place(model: Any, instruction: Instruction) -> str:
    """Where an instruction comes from, for messages."""
    call = instruction.node.call if instruction.node is not None else None
    return f"{model.name}.export" + (f": {call.layer.name}" if call is not None else "")


def write(writer: Writer, model: Any, instruction: Instruction) -> None:
    """Adds an instruction's nodes."""
    op, call = instruction.op, instruction.node.call if instruction.node is not None else None
    writer.place = "" if call is None else call.layer.name
    try:
        read = tuple(map(writer.name_of, instruction.inputs))
        exported = Exported(op, read, instruction.inputs, instruction.attributes, instruction.outputs)
        results = RULES[op.name](writer, exported)
    except ArgumentError as error:
        raise ArgumentError(
            f"{place(model, instruction)}: the op {op.name!r} cannot be written to ONNX: {error}."
        ) from None
    for y, name in zip(instruction.outputs, results if isinstance(results, tuple) else (results,), strict=True):
        writer.bind(y, name)


def needed(nodes: Sequence[Any], outputs: Sequence[Any]) -> tuple[list[Any], set[str]]:
    """The nodes that an output depends on, in their order; and the names that they read."""
    wanted, kept = {y.name for y in outputs}, []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
            wanted.update(outer for attribute in node.attribute for inner in attribute.g.node for outer in inner.input)
    return kept[::-1], wanted
