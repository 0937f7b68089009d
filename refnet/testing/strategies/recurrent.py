"""Calls of the recurrent ops: few steps and units, because a certificate follows every rounding through all of them."""

from typing import Any, NamedTuple

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, ShapeError
from refnet.ops.recurrent import ACTIVATIONS, EXPONENTIAL, SIGMOID, SMOOTH, TANH
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


class Sizes(NamedTuple):
    """What a call's arrays have in common."""

    batch: int
    time: int
    units: int
    dtype: str
    smooth: bool  # only activations without a comparison, so that any values will do
    single: bool  # masks and flows are one number, as where the user gave none

    def values(self, draw: Draw, *shape: int) -> Array:
        """Any values; between -2 and 2 where computed values are compared, so that few comparisons are close."""
        if self.smooth:
            return draw.array(shape, self.dtype)
        return draw.array(shape, self.dtype, low=-2, high=2)


def sizes(draw: Draw) -> Sizes:
    batch, time, units = (
        1 if draw.integer(0, 7) == 0 else draw.extent(least, most) for least, most in ((0, 2), (2, 3), (2, 2))
    )
    return Sizes(batch, time, units, draw.floating(), draw.integer(0, 2) > 0 or bool(draw.special), draw.flag())


def codes(draw: Draw, size: Sizes, *names: str) -> dict[str, int]:
    """tanh and sigmoid half of the time, else any."""
    if draw.flag():
        return {name: TANH if name == "activation" else SIGMOID for name in names}
    options = SMOOTH if size.smooth else tuple(range(len(ACTIVATIONS)))
    # An exponential of an exponential of an exponential has no digits to compare, nor a side of 0 to be on.
    if draw.calm or not size.smooth:
        options = tuple(code for code in options if code != EXPONENTIAL)
    return {name: draw.choice(options) for name in names}


def steps(draw: Draw, size: Sizes) -> Array:
    """Which steps count; one flag for all at times."""
    return draw.array((1, 1) if size.single else (size.batch, size.time), "bool")


def dropout(draw: Draw, size: Sizes, gates: int) -> Array:
    """Masks for each gate, or one for all; or one number."""
    count = 1 if draw.flag() else gates
    return size.values(draw, *((1, 1, 1) if size.single else (count, size.batch, size.units)))


def flow(draw: Draw, size: Sizes, width: int) -> Array:
    """What flows into an output; or one number for all of it."""
    single = draw.flag() if draw.exotic else size.single
    return size.values(draw, *((1, 1, 1) if single else (size.batch, size.time, width)))


def gate_values(draw: Draw, size: Sizes, count: int) -> Array:
    return draw.array((size.batch, size.time, count * size.units), size.dtype, low=0, high=1, calm=(0, 1))


@strategy("simple_rnn")
def simple_rnn_calls(draw: Draw) -> Any:
    s = sizes(draw)
    arrays = [
        s.values(draw, s.batch, s.time, s.units),
        s.values(draw, s.units, s.units),
        s.values(draw, s.batch, s.units),
        steps(draw, s),
        dropout(draw, s, 1),
    ]
    return arrays, codes(draw, s, "activation")


@strategy("simple_rnn_gradient")
def simple_rnn_gradient_calls(draw: Draw) -> Any:
    s = sizes(draw)
    arrays = [
        flow(draw, s, s.units),
        gate_values(draw, s, 1),
        s.values(draw, s.units, s.units),
        steps(draw, s),
        dropout(draw, s, 1),
    ]
    return arrays, codes(draw, s, "activation")


@strategy("lstm")
def lstm_calls(draw: Draw) -> Any:
    s = sizes(draw)
    arrays = [
        s.values(draw, s.batch, s.time, 4 * s.units),
        s.values(draw, s.units, 4 * s.units),
        s.values(draw, s.batch, s.units),
        s.values(draw, s.batch, s.units),
        steps(draw, s),
        dropout(draw, s, 4),
    ]
    return arrays, codes(draw, s, "activation", "recurrent_activation")


@strategy("lstm_gradient")
def lstm_gradient_calls(draw: Draw) -> Any:
    s = sizes(draw)
    arrays = [
        flow(draw, s, s.units),
        flow(draw, s, s.units),
        flow(draw, s, 4 * s.units),
        gate_values(draw, s, 4),
        s.values(draw, s.batch, s.time, s.units),
        s.values(draw, s.units, 4 * s.units),
        s.values(draw, s.batch, s.units),
        steps(draw, s),
        dropout(draw, s, 4),
    ]
    return arrays, codes(draw, s, "activation", "recurrent_activation")


@strategy("gru")
def gru_calls(draw: Draw) -> Any:
    s = sizes(draw)
    arrays = [
        s.values(draw, s.batch, s.time, 3 * s.units),
        s.values(draw, s.units, 3 * s.units),
        s.values(draw, 3 * s.units),
        s.values(draw, s.batch, s.units),
        steps(draw, s),
        dropout(draw, s, 3),
    ]
    return arrays, {**codes(draw, s, "activation", "recurrent_activation"), "reset_after": draw.flag()}


@strategy("gru_gradient")
def gru_gradient_calls(draw: Draw) -> Any:
    s = sizes(draw)
    arrays = [
        flow(draw, s, s.units),
        flow(draw, s, 3 * s.units),
        flow(draw, s, s.units),
        s.values(draw, s.batch, s.time, s.units),
        gate_values(draw, s, 3),
        s.values(draw, s.batch, s.time, s.units),
        s.values(draw, s.units, 3 * s.units),
        s.values(draw, s.batch, s.units),
        steps(draw, s),
        dropout(draw, s, 3),
    ]
    return arrays, {**codes(draw, s, "activation", "recurrent_activation"), "reset_after": draw.flag()}


def optional(draw: Draw, array: Array) -> Array | None:
    return array if draw.flag() else None


def public_call(draw: Draw, gates: int, biases: tuple[int, ...] = ()) -> tuple[list[Any], dict[str, Any], Sizes]:
    """inputs, kernel, recurrent_kernel, bias; and what every recurrent function takes by name."""
    s = Sizes(draw.extent(1, 3), draw.extent(1, 2), draw.extent(1, 2), draw.floating(), True, False)
    features, columns = draw.extent(1, 3), gates * s.units

    def real(*shape: int) -> Array:
        return draw.array(shape, s.dtype, low=-2, high=2)

    several = (gates,) if gates > 1 and draw.flag() else ()
    keywords = {
        "mask": optional(draw, draw.array((s.batch, s.time), "bool")),
        "go_backwards": draw.flag(),
        "activation": draw.choice(("tanh", "softsign", "linear")),
        "dropout_mask": optional(draw, real(*several, s.batch, features)),
        "recurrent_dropout_mask": optional(draw, real(*several, s.batch, s.units)),
    }
    arguments = [
        real(s.batch, s.time, features),
        real(features, columns),
        real(s.units, columns),
        optional(draw, real(*biases, columns)),
    ]
    return arguments, keywords, s


@usage("simple_rnn")
def simple_rnn_usages(draw: Draw) -> Any:
    arguments, keywords, s = public_call(draw, 1)
    return (*arguments, optional(draw, s.values(draw, s.batch, s.units))), keywords


@usage("lstm")
def lstm_usages(draw: Draw) -> Any:
    arguments, keywords, s = public_call(draw, 4)
    states = (s.values(draw, s.batch, s.units), s.values(draw, s.batch, s.units)) if draw.flag() else None
    return (*arguments, states), keywords


@usage("gru")
def gru_usages(draw: Draw) -> Any:
    after = draw.flag()
    arguments, keywords, s = public_call(draw, 3, (2,) if after else ())
    return (*arguments, optional(draw, s.values(draw, s.batch, s.units))), {**keywords, "reset_after": after}


_x = np.zeros((2, 3, 4))
for _name, _gates in (("simple_rnn", 1), ("lstm", 4), ("gru", 3)):
    _k, _r = np.zeros((4, _gates * 5)), np.zeros((5, _gates * 5))
    refuse(_name, _x[0], _k, _r, error=ShapeError, words="inputs of shape (batch, time, features)")
    refuse(_name, _x[:, :0], _k, _r, error=ShapeError, words="at least one time step")
    refuse(
        _name, _x, _k[:3], _r, error=ShapeError, words="needs kernel of shape (features, columns of recurrent_kernel)"
    )
    refuse(_name, _x, _k, _r[:, :4], error=ShapeError, words="needs a recurrent_kernel of shape")
    refuse(_name, _x, _k, _r, np.zeros(7), error=ShapeError, words="needs bias of shape")
    refuse(
        _name,
        _x,
        _k,
        _r,
        mask=np.ones((2, 4), bool),
        error=ShapeError,
        words="needs mask of shape (batch, time), here (2, 3)",
    )
    refuse(_name, _x, _k, _r, dropout_mask=np.ones((2, 5)), error=ShapeError, words="needs dropout_mask of shape")
    refuse(
        _name,
        _x,
        _k,
        _r,
        recurrent_dropout_mask=np.ones((2, 4)),
        error=ShapeError,
        words="needs recurrent_dropout_mask of shape",
    )
    refuse(_name, _x, _k, _r, activation="tan", error=ArgumentError, words="Did you mean 'tanh'?")
    refuse(_name, _x, _k, _r, activation="gelu", error=ArgumentError, words="ops.scan")
refuse(
    "simple_rnn",
    _x,
    np.zeros((4, 5)),
    np.zeros((5, 5)),
    None,
    np.zeros((3, 5)),
    error=ShapeError,
    words="needs initial_state of shape",
)
refuse(
    "gru",
    _x,
    np.zeros((4, 15)),
    np.zeros((5, 15)),
    None,
    np.zeros((2, 4)),
    error=ShapeError,
    words="needs initial_state of shape",
)
refuse(
    "gru",
    _x,
    np.zeros((4, 15)),
    np.zeros((5, 15)),
    np.zeros(15),
    error=ShapeError,
    words="(2, 3 * units) with reset_after",
)
refuse(
    "lstm",
    _x,
    np.zeros((4, 20)),
    np.zeros((5, 20)),
    None,
    (np.zeros((2, 5)),),
    error=ArgumentError,
    words="two initial states",
)
refuse(
    "lstm",
    _x,
    np.zeros((4, 20)),
    np.zeros((5, 20)),
    None,
    (np.zeros((2, 5)), np.zeros((1, 5))),
    error=ShapeError,
    words="initial_state[1]",
)
