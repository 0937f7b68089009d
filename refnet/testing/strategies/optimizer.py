"""Calls of optimizer updates: a weight, its state, its gradient, the learning rate."""

from typing import Any

from refnet.definition import Op
from refnet.testing.draw import Draw
from refnet.testing.strategies import strategy

RATES = {
    "momentum": (0.0, 0.9),
    "rho": (0.9, 0.5),
    "beta_1": (0.9, 0.5),
    "beta_2": (0.999, 0.9),
    "epsilon": (1e-7, 1e-3),
    "nesterov": (False, True),
}


def settings(draw: Draw, name: str) -> dict[str, Any]:
    return {attribute: draw.choice(RATES[attribute]) for attribute in Op.named[name].attributes or ()}


def update_strategy(name: str, states: int, squares: tuple[int, ...] = ()) -> None:
    """A strategy for an update with so many states; `squares`: the states that are means of squares, never negative."""

    @strategy(name)
    def update_calls(draw: Draw) -> Any:
        shape, dtype = draw.shape(0, 2), draw.floating()
        signed = draw.integer(0, 7) == 0  # at times a state that no training makes
        arrays = [draw.array(shape, dtype)]
        for state in range(states):
            low, high = (0, 4) if state in squares and not signed else (None, None)
            calm = (0, 4) if state in squares else (-2, 2)
            arrays.append(draw.array(shape, dtype, low=low, high=high, calm=calm))
        rate = draw.array((), dtype, low=0, high=1, calm=(0, 1))
        return [*arrays, draw.array(shape, dtype), rate], settings(draw, name)


update_strategy("sgd_update", 0)
update_strategy("sgd_momentum_update", 1)
update_strategy("rmsprop_update", 1, squares=(0,))
update_strategy("rmsprop_momentum_update", 2, squares=(0,))
update_strategy("rmsprop_centered_update", 2, squares=(0,))
update_strategy("rmsprop_centered_momentum_update", 3, squares=(0,))
update_strategy("adam_update", 2, squares=(1,))
update_strategy("adam_amsgrad_update", 3, squares=(1, 2))


@strategy("adam_rate")
def adam_rate_calls(draw: Draw) -> Any:
    dtype = draw.choice(("float32", "float64"))
    step = draw.array((), "int32", low=1, high=1000).astype(dtype)
    return [draw.array((), dtype, low=0, high=1), step], settings(draw, "adam_rate")
