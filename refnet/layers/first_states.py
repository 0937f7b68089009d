"""The states that a recurrent layer begins with: zeros, or what a `get_initial_state` of the user's gives, of Keras 3 or of Keras 2."""

import inspect
from collections.abc import Callable
from typing import Any

from refnet import ops
from refnet.structure import flatten


def first_states(cell: Any, batch: Any, dtype: str, inputs: Any = None) -> Any:
    """The state a cell begins with, in the structure of its state_size: its own, else zeros.

    Args:
        cell: a cell.
        batch: how many samples there are.
        dtype: of the states.
        inputs: the layer's, (batch, time, ...), for cells that ask for them.
    """
    own = getattr(cell, "get_initial_state", None)
    if own is None:
        zeros = [ops.zeros((batch, size), dtype) for size in flatten(cell.state_size)]
        return zeros if isinstance(cell.state_size, (list, tuple)) else zeros[0]
    states = asked(own, batch, dtype, inputs)
    if isinstance(cell.state_size, (list, tuple)):
        return list(states)
    return states[0] if isinstance(states, (list, tuple)) else states


def asked(get_initial_state: Callable[..., Any], batch: Any, dtype: str, inputs: Any) -> Any:
    """What such a method gives. Keras 3's has an argument batch_size, Keras 2's have inputs, or all three: it gets those that it has."""
    taken = inspect.signature(get_initial_state).parameters
    given = {"inputs": inputs, "batch_size": batch, "dtype": dtype}
    named = {word: value for word, value in given.items() if word in taken}
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in taken.values()):
        named["batch_size"] = batch
    return get_initial_state(**named) if {"inputs", "batch_size"} & set(named) else get_initial_state(batch)


def batch_of(batch_size: Any) -> Any:
    """How many samples there are, where a method of Keras 2 that was handed the inputs may hand these on."""
    return ops.shape(batch_size)[0] if len(getattr(batch_size, "shape", ())) else batch_size


def begins_otherwise(thing: Any) -> bool:
    """Whether a layer, a cell, or a cell of a stack has a `get_initial_state` of the user's."""
    own = getattr(type(thing), "get_initial_state", None)
    cells = getattr(thing, "cells", None)  # which may be a number in a layer of the user's
    return (own is not None and not own.__module__.startswith("refnet.")) or any(
        begins_otherwise(cell) for cell in (cells if isinstance(cells, (list, tuple)) else ())
    )
