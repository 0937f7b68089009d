"""The reading path: the definitions in the order in which Chollet's book needs them, and one of them with its worked example."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

from refnet.definition import Op
from refnet.errors import ArgumentError, did_you_mean


class Step(NamedTuple):
    """One definition to read.

    section: of the book's first edition; where it says nothing, that of what the op is needed for.
    name: the public function.  op: the primitive that defines it.  what: what is new here.
    """

    section: str
    name: str
    op: str
    what: str


PATH = (
    Step("2.3.1", "relu", "relu", "one element at a time: a scalar function"),
    Step("2.3.1", "add", "add", "two operands, element by element"),
    Step("2.3.2", "broadcast_to", "broadcast_to", "an operand repeated along axes, which moves no number"),
    Step("2.3.3", "dot", "matmul", "sums of products: tasks, and a loop over what is summed"),
    Step("2.3.4", "transpose", "transpose", "another order of the same numbers"),
    Step("2.3.4", "concatenate", "concatenate", "any number of operands"),
    Step("2.4.3", "sgd_update", "sgd_update", "a step against the gradient"),
    Step("2.4.3", "sgd_momentum_update", "sgd_momentum_update", "a step that remembers the last one"),
    Step("2.4.4", "max", "max", "a reduction that picks, and where its gradient goes"),
    Step("3.4.3", "sigmoid", "sigmoid", "a probability"),
    Step("3.4.3", "binary_crossentropy", "sigmoid_cross_entropy", "how wrong a probability is"),
    Step("3.4.3", "rmsprop_update", "rmsprop_update", "steps scaled by the size of recent gradients"),
    Step("3.5.3", "softmax", "softmax", "probabilities of several classes, without overflow"),
    Step(
        "3.5.3",
        "categorical_crossentropy",
        "softmax_cross_entropy",
        "softmax and loss in one, with the gradient they share",
    ),
    Step("3.6.3", "mean", "sum", "an average, as a sum divided"),
    Step("4.4.3", "dropout", "dropout_mask", "random numbers from a counter"),
    Step("5.1.1", "conv", "conv2d", "a window that slides over an image"),
    Step("5.1.2", "max_pool", "max_pool2d", "the largest of each window"),
    Step("6.1.1", "one_hot", "one_hot", "labels as vectors"),
    Step("6.1.2", "take", "take", "an embedding: rows picked by number, and its gradient"),
    Step("6.2.1", "simple_rnn", "simple_rnn", "a state that is carried through a sequence"),
    Step("6.2.2", "lstm", "lstm", "a carry that gates keep, write and read"),
    Step("6.2.2", "gru", "gru", "the same with fewer gates"),
    Step("7.3.1", "batch_normalization", "batch_normalization_training", "a batch brought to mean 0 and variance 1"),
    Step("7.3.1", "depthwise_conv", "conv2d", "each channel convolved by itself: as many groups as channels"),
    Step("8.4.3", "conv_transpose", "conv2d_inputs_gradient", "the way back from a convolution"),
    Step("later", "layer_normalization", "layer_normalization", "the same for each row, whatever the batch"),
    Step("later", "dot_product_attention", "dot_product_attention", "every place asks all others"),
)


def listing() -> str:
    """The path: a line for each definition."""
    lines = ["The definitions in the order of Chollet's book; `python -m refnet read NAME` shows one.", ""]
    for step in PATH:
        file = module_of(Op.named[step.op]).__name__.replace(".", "/") + ".py"
        lines.append(f"{step.section:7}{step.name:26}{file:34}{step.what}")
    return "\n".join(lines)


def reading(name: str) -> str:
    """One definition, with all it stands on in its file, and its example worked out.

    Args:
        name: a step of the path, any other primitive op, or a public function that is written with other ops.
    Raises:
        ArgumentError: neither.

    >>> print(reading("relu").splitlines()[0])
    relu (refnet/ops/activation.py): one element at a time: a scalar function
    """
    from refnet.testing.strategies import primitives

    steps = {step.name: step for step in PATH}
    if name not in steps and name not in primitives():
        return of_other_ops(name)
    step = steps.get(name, Step("", name, name, "a primitive"))
    op = Op.named[step.op]
    parts = [f"{name} ({module_of(op).__name__.replace('.', '/')}.py): {step.what}"]
    meaning = public(name)
    if meaning is not None:
        parts.append(f"What it means\n\n{indented(inspect.getdoc(meaning) or '')}")
    parts.append(f"The definition\n\n{indented(texts([meaning_of(op), *helpers(meaning_of(op))]))}")
    gradients = [other for other in Op.named.values() if is_gradient(other, op)]
    shown = [meaning_of(op), *helpers(meaning_of(op))]
    for other in gradients:
        more = [f for f in (meaning_of(other), *helpers(meaning_of(other))) if f not in shown]
        shown += more
        parts.append(f"A gradient: {other.name}\n\n{indented(texts(more))}")
    return "\n\n".join([*parts, *worked_out(name, step.op)])


def of_other_ops(name: str) -> str:
    """A public function that is written with other ops: what it means, and its text."""
    from refnet.testing.strategies import primitives

    function = public(name)
    if function is None:
        known = sorted({*(step.name for step in PATH), *primitives(), *public_names()})
        raise ArgumentError(f"read: there is no definition {name!r}.{nearest(name, known)}")
    parts = [
        f"{name} ({file_of(function)}): written with other ops",
        f"What it means\n\n{indented(inspect.getdoc(function) or '')}",
        f"How it is written\n\n{indented(without_docstring(function))}",
    ]
    return "\n\n".join([*parts, *worked_out(name)])


def nearest(name: str, known: list[str]) -> str:
    """' Did you mean ...?', or where all names are listed: they are too many for a message."""
    near = did_you_mean(name, known)
    return near if near.startswith(" Did") else " `python -m refnet ops` lists them."


def worked_out(*names: str) -> list[str]:
    """An element of the first of the ops that has an example; nothing if none has."""
    from refnet import worked
    from refnet.explain import explain
    from refnet.testing.strategies import primitives, usages

    for name in names:
        if name in (*worked.CALLS, *primitives(), *usages):
            return [f"One element worked out (python -m refnet explain {name})\n\n{indented(explain(name))}"]
    return []


def public(name: str) -> Callable[..., Any] | None:
    """The public function of that name."""
    from refnet import ops, random

    found = (getattr(package, name, None) for package in (ops, random) if name in public_names())
    return next((function for function in found if inspect.isfunction(function)), None)


def public_names() -> list[str]:
    """The names of all public functions of ops and of random numbers. Each says where it comes from."""
    from refnet import ops, random

    members = [*inspect.getmembers(ops, inspect.isfunction), *inspect.getmembers(random, inspect.isfunction)]
    return [name for name, function in members if "Source:" in (function.__doc__ or "")]


def file_of(function: Callable[..., Any]) -> str:
    return function.__module__.replace(".", "/") + ".py"


def without_docstring(function: Callable[..., Any]) -> str:
    """A function's text without what `inspect.getdoc` shows of it."""
    lines = text_of(function).splitlines()
    (definition,) = ast.parse("\n".join(lines)).body
    said = definition.body[0] if isinstance(definition, ast.FunctionDef) else None
    if isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant) and said.end_lineno is not None:
        del lines[said.lineno - 1 : said.end_lineno]
    return "\n".join(lines)


def is_gradient(other: Op, op: Op) -> bool:
    """Whether another op is `<op>_gradient` or `<op>_<argument>_gradient`."""
    argument = other.name.removeprefix(op.name).removesuffix("gradient")
    named = other.name.startswith(f"{op.name}_") and other.name.endswith("_gradient")
    return other.primitive and named and argument.count("_") <= 2


def meaning_of(op: Op) -> Callable[..., Any]:
    function = op.loop if op.loop is not None else op.scalar
    if function is None:
        raise ArgumentError(f"read: {op.name} is written with other ops.")
    return function


def module_of(op: Op) -> ModuleType:
    module = inspect.getmodule(meaning_of(op))
    if module is None:
        raise ArgumentError(f"read: {op.name} has no source file.")
    return module


def texts(functions: list[Callable[..., Any]]) -> str:
    return "\n\n".join(map(text_of, functions))


def text_of(function: Callable[..., Any]) -> str:
    """A function's text. Of a scalar that was written as a lambda, the statement that holds it."""
    return textwrap.dedent(inspect.getsource(function)).rstrip()


def helpers(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    """The functions of its own file that a function calls, and those that these call."""
    module = inspect.getmodule(function)
    found: list[Callable[..., Any]] = []
    waiting = [function]
    while waiting:
        for name in called(waiting.pop(0)):
            helper = getattr(module, name, None)
            ours = inspect.isfunction(helper) and helper.__module__ == getattr(module, "__name__", "")
            if helper is not None and ours and helper is not function and helper not in found:
                found.append(helper)
                waiting.append(helper)
    return found


def called(function: Callable[..., Any]) -> Iterator[str]:
    """The names that a function calls, in order."""
    try:
        tree = ast.parse(text_of(function))
    except SyntaxError:  # a lambda's line is not a statement by itself
        return iter(())
    return (node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))


def indented(text: str) -> str:
    return textwrap.indent(text, "    ")
