"""Mutants: definitions and gradients broken on purpose, one line each. The kit must reject every one of them.

A mutant is the text of a definition's file with one line replaced, run under the same names; if the line is no longer there the
mutant fails loudly, so the gallery stays in step with the code.
"""

import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from refnet import dtypes
from refnet.annotations import Array
from refnet.definition import Op
from refnet.engine import Reference, interpret
from refnet.errors import ShapeError
from refnet.testing.average_mutants import AVERAGE_MUTANTS
from refnet.testing.certificates import check
from refnet.testing.draw import Seeded
from refnet.testing.evaluate import specs_of
from refnet.testing.gradients import check_gradient
from refnet.testing.place_mutants import PLACE_MUTANTS
from refnet.testing.series_mutants import SERIES_MUTANTS
from refnet.testing.strategies import Case, case
from refnet.testing.window_mutants import WINDOW_MUTANTS


class Mutant(NamedTuple):
    """One broken line.

    module: the file, `refnet.<module>`: the op's, or one from which that takes what is broken.  old, new: the text and what it becomes.  op: whose meaning
    changes.  law: 'certificate' (a kernel that computes this leaves the definition's bounds) or 'gradient' (a gradient that is
    written so contradicts the definition).  within: the function that holds the line, where the file has it twice.
    calls: extra calls to try, as (arrays, attributes, tasks).
    """

    name: str
    module: str
    op: str
    old: str
    new: str
    law: str = "certificate"
    within: str = ""
    calls: Callable[[], Sequence[tuple[list[Array], dict[str, Any], Any]]] = tuple


def a_million_terms() -> Sequence[tuple[list[Array], dict[str, Any], Any]]:
    """2**24 and then a million ones: float32 stands still at 2**24."""
    x = np.ones(1_000_001, "float32")
    x[0] = 2**24
    return [([x], {"start": 0, "count": 1, "keepdims": False}, [(0, 0)])]


def long_sums() -> Sequence[tuple[list[Array], dict[str, Any], Any]]:
    """8192 ones: in whole numbers, the rounding of so long a sum hides no term."""
    return [([np.ones(8192, "float32")], {"start": 0, "count": 1, "keepdims": False}, None)]


def long_products() -> Sequence[tuple[list[Array], dict[str, Any], Any]]:
    arrays = [np.ones((1, 1, 8192), "float32"), np.ones((1, 8192, 1), "float32")]
    return [(arrays, {"transpose1": False, "transpose2": False}, None)]


def of_row(row: tuple[str, ...]) -> Mutant:
    """A mutant from its texts, in the order of its fields."""
    fields: dict[str, Any] = dict(zip(Mutant._fields, row))
    return Mutant(**fields)


MUTANTS = [
    Mutant("the last term is left out", "ops.contraction", "matmul", "range(a.shape[2]):", "range(a.shape[2] - 1):"),
    Mutant(
        "the last chunk of tasks is missing",
        "ops.contraction",
        "matmul",
        "for n, i, j in tasks:",
        "for n, i, j in list(tasks)[:-1]:",
    ),
    Mutant("swapped strides", "ops.contraction", "matmul", "else (inner, 1)", "else (1, rows)"),
    Mutant(
        "a gradient forgets to transpose",
        "ops.contraction",
        "matmul",
        "transpose2=not t2)",
        "transpose2=t2)",
        "gradient",
    ),
    Mutant("stale buffer", "ops.reduction", "sum", "y[o, i] = total", "y[o, i] += total", within="sum_loop"),
    Mutant(
        "float32 accumulation of a million terms",
        "ops.reduction",
        "sum",
        "total += x[o, r, i]",
        "total = __import__('numpy').float32(total + x[o, r, i])",
        within="sum_loop",
        calls=a_million_terms,
    ),
    Mutant(
        "one term of a long sum is left out",
        "ops.reduction",
        "sum",
        "for r in range(x.shape[1]):",
        "for r in [*range(4100), *range(4101, x.shape[1])]:",
        within="sum_loop",
        calls=long_sums,
    ),
    Mutant(
        "a block of a long product begins one too late",
        "ops.contraction",
        "matmul",
        "for k in range(a.shape[2]):",
        "for k in [*range(4096), *range(4097, a.shape[2])]:",
        calls=long_products,
    ),
    Mutant(
        "wrong sign in a gradient",
        "ops.elementwise",
        "subtract",
        "x2: dy, lambda dy, y, x1, x2: negative(dy)",
        "x2: dy, lambda dy, y, x1, x2: dy",
        "gradient",
    ),
    Mutant(
        "a gradient forgets a broadcast axis",
        "ops.elementwise",
        "multiply",
        "return dy if same else sum_like_op(dy, x)",
        "return dy",
        "gradient",
    ),
    Mutant(
        "the last of equals wins", "ops.extremum", "argmax", "x[o, r, i] > x[o, best, i]", "x[o, r, i] >= x[o, best, i]"
    ),
    Mutant(
        "the gradient goes to all equals",
        "ops.extremum",
        "max_gradient",
        "if r == best else 0",
        "if x[o, r, i] == x[o, best, i] else 0",
        within="max_gradient_loop",
    ),
    Mutant(
        "unnormalised softmax",
        "ops.activation",
        "softmax",
        "exp(x[o, r, i] - best) / total",
        "exp(x[o, r, i] - best)",
        within="softmax_loop",
    ),
    Mutant(
        "softmax that overflows",
        "ops.activation",
        "softmax",
        "best = largest(x, o, i)",
        "best = 0",
        within="softmax_loop",
    ),
    Mutant("NaN becomes zero", "ops.activation", "relu", "return 0 if x <= 0 else x", "return x if x > 0 else 0"),
    Mutant(
        "tanh's gradient without the square",
        "ops.unary",
        "tanh",
        "ops.subtract(1, ops.square(y))",
        "ops.subtract(1, y)",
        "gradient",
    ),
    Mutant(
        "conversion rounds down instead of towards zero",
        "ops.unary",
        "cast_to_integer",
        "return truncate(x)",
        "return int(x // 1)",
    ),
    Mutant(
        "epsilon outside the root",
        "ops.optimizer",
        "rmsprop_update",
        "sqrt(v + epsilon)",
        "(sqrt(v) + epsilon)",
        within="rmsprop_update_scalar",
    ),
    Mutant(
        "the share of the new square is the old one's",
        "ops.optimizer",
        "adam_update",
        "(1 - beta_2) *",
        "beta_2 *",
        within="adam_update_scalar",
    ),
    Mutant("negative indices are off by one", "ops.indexing", "take", "index += extent", "index += extent - 1"),
    Mutant(
        "padding off by one", "ops.slicing", "spread", "j = (place - start) // step", "j = (place - start - 1) // step"
    ),
    Mutant(
        "the scale of the loss reaches one class only",
        "ops.loss",
        "sparse_softmax_cross_entropy_gradient",
        "dloss[n] * (p[n, c] - 1)",
        "dloss[n] * p[n, c] - 1",
    ),
    Mutant(
        "a neighbour's new state is read too early",
        "ops.recurrent_simple",
        "simple_rnn",
        "fresh[u] = activate(z, activation)",
        "fresh[u] = hidden[u] = activate(z, activation)",
    ),
    Mutant(
        "what flowed from later steps is forgotten",
        "ops.recurrent_simple",
        "simple_rnn",
        "dhidden[u] += dh[n, t, u]",
        "dhidden[u] = dh[n, t, u]",
        "gradient",
    ),
    Mutant(
        "the input gate keeps and the forget gate takes in",
        "ops.recurrent_lstm",
        "lstm",
        "f * cell[u] + i * g",
        "i * cell[u] + f * g",
    ),
    Mutant("a masked step counts", "ops.recurrent_lstm", "lstm", "if mask[n, t]:", "if True:", within="lstm_loop"),
    Mutant(
        "the cell's slope passes the forget gate unchanged",
        "ops.recurrent_lstm",
        "lstm",
        "dcell[u] = inside * f",
        "dcell[u] = inside",
        "gradient",
    ),
    Mutant(
        "the recurrent kernel's gradient meets the states after the steps",
        "ops.recurrent_lstm",
        "lstm",
        "[states_before(h, h0)] * 4",
        "[h] * 4",
        "gradient",
    ),
    Mutant("reset before and after", "ops.recurrent_gru", "gru", "hidden[u] if reset_after else reset", "reset"),
    Mutant(
        "the update gate the wrong way round",
        "ops.recurrent_gru",
        "gru",
        "update[u] * hidden[u] + (1 - update[u]) * g",
        "(1 - update[u]) * hidden[u] + update[u] * g",
    ),
    Mutant(
        "the update gate's slope has the wrong sign",
        "ops.recurrent_gru",
        "gru",
        "dhidden[u] * (before - g)",
        "dhidden[u] * (g - before)",
        "gradient",
    ),
    Mutant(
        "equal labels run together",
        "ops.ctc",
        "ctc_loss",
        "return label_at(target, n, s, blank, classes) != label_at(target, n, s - 2, blank, classes)",
        "return True",
    ),
    Mutant(
        "alignments that end in a blank are not counted",
        "ops.ctc",
        "ctc_loss",
        "log_add(alpha[size - 1], alpha[size - 2])",
        "alpha[size - 2]",
    ),
    Mutant(
        "endings in the last label are not counted",
        "ops.ctc",
        "ctc_loss",
        "0 if s >= size - 2 else -INF",
        "0 if s >= size - 1 else -INF",
        "gradient",
    ),
    Mutant(
        "a blank between equal labels is not seen",
        "ops.ctc_decoding",
        "ctc_greedy_decode",
        "previous = best",
        "previous = best if best != blank else previous",
    ),
    Mutant("biased dropout", "random", "dropout_mask", "1 / (1 - rate) if rate < 1", "1 / rate if rate > 0"),
    Mutant(
        "an average divided twice over",
        "ops.division",
        "divide",
        "return ieee_divide(x1, x2)",
        "return x1 * ieee_divide(1, x2)",
    ),
    *map(of_row, AVERAGE_MUTANTS),
    *map(of_row, PLACE_MUTANTS),
    *map(of_row, SERIES_MUTANTS),
    *map(of_row, WINDOW_MUTANTS),
]


def broken(mutant: Mutant) -> Op:
    """The op as the mutant defines it. Raises LookupError if the line it breaks is not there, once."""
    module = importlib.import_module(f"refnet.{mutant.module}")
    source = inspect.getsource(module)
    place = inspect.getsource(getattr(module, mutant.within)) if mutant.within else source
    if place.count(mutant.old) != 1:
        raise LookupError(
            f"mutant {mutant.name!r}: {mutant.old!r} stands {place.count(mutant.old)} times in {mutant.module}; bring it up to date."
        )
    named, Op.named = Op.named, {}
    try:
        spoiled = run_again(module, source.replace(place, place.replace(mutant.old, mutant.new)))
        if mutant.op not in Op.named:  # the file only helps the one that defines the op
            with mock.patch.dict(sys.modules, {module.__name__: spoiled}):
                user = importlib.import_module(named[mutant.op].loop.__module__)
                run_again(user, inspect.getsource(user))
        return Op.named[mutant.op]
    finally:
        Op.named = named


def run_again(module: ModuleType, text: str) -> ModuleType:
    """A module of the same name, made of another text."""
    made = ModuleType(module.__name__)
    exec(compile(text, inspect.getsourcefile(module) or module.__name__, "exec"), made.__dict__)
    return made


class BrokenEngine(Reference):
    """Computes what a mutant defines, into buffers that still hold something."""

    name = "mutant"

    def __init__(self, op: Op):
        super().__init__()
        self.op = op

    def compute(self, op: Op, arrays: Sequence[Array], attributes: dict[str, Any]) -> list[Array]:
        outputs = [np.full(s.shape, 7, dtypes.as_numpy(s.dtype)) for s in specs_of(op, arrays, attributes)]
        interpret(self.op, arrays, attributes, outputs)
        return outputs


def try_certificate(mutant: Mutant, examples: int) -> None:
    engine = BrokenEngine(broken(mutant))
    for arrays, attributes, tasks in mutant.calls():
        check(mutant.op, engine, arrays, attributes, tasks)
    for number in range(examples):
        drawn = case(mutant.op, Seeded((mutant.op, number)))
        check(mutant.op, engine, drawn.arrays, drawn.attributes)


def try_gradient(mutant: Mutant, examples: int) -> None:
    op = broken(mutant)
    for number in range(examples):
        drawn = case(mutant.op, Seeded((mutant.op, number), calm=True))
        check_gradient(Case(op, drawn.arrays, drawn.attributes), seed=number)


LAWS = {"certificate": try_certificate, "gradient": try_gradient}


def rejection(mutant: Mutant, examples: int = 60) -> str | None:
    """What the law says against a mutant, or the op against a graph that cannot be built; None if it survives."""
    try:
        LAWS[mutant.law](mutant, examples)
    except (AssertionError, ShapeError) as error:
        return str(error)
    return None
