"""Layers made of a function: Lambda, and Identity."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from refnet.errors import ArgumentError
from refnet.graph import Tensor
from refnet.layers.base import Layer
from refnet.structure import flatten


class Identity(Layer):
    """Its inputs, as they are.

    >>> Identity()(np.array([1.0, 2.0]))
    array([1., 2.], dtype=float32)
    """

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs


class Lambda(Layer):
    """A function as a layer.

    The function's variables are not the layer's: what is to be trained belongs in a Layer subclass.

    Args:
        function: of the inputs, written with ops; it may take `training` and `mask` too.
        output_shape: of Keras; the shapes follow from the function.
        mask: the outputs' mask, or a function of the inputs and their mask that gives it; None if the outputs have none.
        arguments: a dict of further arguments of the function.

    >>> Lambda(lambda x: 2 * x)(np.array([1.0, 2.0]))
    array([2., 4.], dtype=float32)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **more: Any,
    ):
        super().__init__(**more)
        if not callable(function):
            raise ArgumentError(f"{self.name}: function must be a function; got {function!r}.")
        self.function, self.output_shape, self.mask = function, output_shape, mask
        self.arguments = dict(arguments or {})
        taken = inspect.signature(function).parameters
        self.supports_masking = mask is not None
        self.takes = {word for word in ("training", "mask") if word in taken}
        self.branches_on_training, self.built = "training" in self.takes, True

    def samples_apart(self, rank: int | None) -> bool:
        return False

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        given = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{word: given[word] for word in self.takes})

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        """The arguments of __init__, the function itself among them: a copy in memory can be made of it, a file cannot.

        Raises:
            ArgumentError: the function closes over tensors: a copy would read the old ones.
        """
        for word, value in closed_over(self.function):
            if any(isinstance(x, Tensor) for x in flatten(value)):
                raise ArgumentError(f"{self.name}: its function closes over the tensor {word!r}, so it has no config.")
        return {**super().get_config(), "function": self.function}


def closed_over(function: Any) -> Iterator[tuple[str, Any]]:
    """The names and values that a function reads from outside: its closure, defaults, and the globals its code names."""
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None:
        return
    for word, cell in zip(code.co_freevars, function.__closure__ or ()):
        try:
            yield word, cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    yield from (("a default", value) for value in defaults)
    yield from ((word, function.__globals__[word]) for word in code.co_names if word in function.__globals__)
