"""Calls of the further optimizer updates."""

from typing import Any

from refnet.testing.draw import Draw
from refnet.testing.strategies import strategy
from refnet.testing.strategies.optimizer import RATES, settings, update_strategy

RATES.update(
    learning_rate_power=(-0.5, -0.25),
    l1=(0.0, 0.25),
    l2=(0.0, 0.5),
    shrinkage=(0.0, 0.125),
    beta=(0.0, 0.5),
)

update_strategy("adagrad_update", 1, squares=(0,))
update_strategy("adadelta_update", 2, squares=(0, 1))
update_strategy("adamax_update", 2, squares=(1,))
update_strategy("lion_update", 1)
update_strategy("ftrl_update", 2, squares=(0,))


@strategy("nadam_update")
def nadam_update_calls(draw: Draw) -> Any:
    shape, dtype = draw.shape(0, 2), draw.floating()
    arrays = [draw.array(shape, dtype), draw.array(shape, dtype), draw.array(shape, dtype, low=0, high=4)]
    rates = [draw.array((), dtype, low=0, high=high) for high in (1, 1, 8)]
    return [*arrays, draw.array(shape, dtype), *rates], settings(draw, "nadam_update")


def step_of(draw: Draw, dtype: str) -> Any:
    return draw.array((), "int32", low=1, high=1000).astype(dtype)


@strategy("adamax_rate")
def adamax_rate_calls(draw: Draw) -> Any:
    dtype = draw.choice(("float32", "float64"))
    return [draw.array((), dtype, low=0, high=1), step_of(draw, dtype)], settings(draw, "adamax_rate")


@strategy("nadam_rates")
def nadam_rates_calls(draw: Draw) -> Any:
    dtype = draw.choice(("float32", "float64"))
    product = draw.array((), dtype, low=0, high=1)
    return [draw.array((), dtype, low=0, high=1), step_of(draw, dtype), product], settings(draw, "nadam_rates")
