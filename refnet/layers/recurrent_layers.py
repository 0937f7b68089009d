"""SimpleRNN, LSTM and GRU: `RNN` with a cell of its own."""

import inspect
from typing import Any

from refnet.errors import ArgumentError
from refnet.layers.recurrent import RNN
from refnet.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell
from refnet.naming import snake_case

OF_LAYER = ("activity_regularizer", "return_sequences", "return_state", "go_backwards", "stateful", "unroll")


class OneCell(RNN):
    """Base of the layers that make their cell themselves.

    Args:
        kind: the cell's class.
        given: the arguments of the layer, by name: those the cell has a name for are the cell's.
    """

    def __init__(self, kind: Any, given: dict[str, Any]):
        more = dict(given["more"])
        words = [word for word in inspect.signature(kind.__init__).parameters if word not in ("self", "more")]
        own = {word: given[word] for word in words}
        own |= {word: more[word] for word in ("dtype", "trainable") if word in more}
        if "implementation" in more:
            own["implementation"] = more.pop("implementation")
        if given.get("use_cudnn", "auto") not in ("auto", True, False):
            raise ArgumentError(f"use_cudnn is 'auto', True or False, and changes nothing; got {given['use_cudnn']!r}.")
        layer = {word: given[word] for word in OF_LAYER if word in given}
        super().__init__(kind(**own, name=snake_case(kind.__name__)), **layer, **more)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "zero_output_for_mask": self.zero_output_for_mask}
        return {word: value for word, value in config.items() if word != "use_cudnn"}


def of_cell(word: str) -> Any:
    """A property of the layer that is its cell's."""
    return property(lambda self: getattr(self.cell, word), doc=f"The cell's `{word}`.")


for _word in (
    *("units", "activation", "recurrent_activation", "use_bias", "unit_forget_bias", "reset_after", "implementation"),
    *("kernel_initializer", "recurrent_initializer", "bias_initializer", "kernel_regularizer", "recurrent_regularizer"),
    *(
        "bias_regularizer",
        "kernel_constraint",
        "recurrent_constraint",
        "bias_constraint",
        "dropout",
        "recurrent_dropout",
    ),
):
    setattr(OneCell, _word, of_cell(_word))


class SimpleRNN(OneCell):
    """A recurrent layer whose state is an activation of the inputs and of the state before; `ops.simple_rnn`.

    Args:
        units: the size of the state, which is also the output.
        activation: a name or a function; None for none.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed: as in
            SimpleRNNCell.
        activity_regularizer: of the output.
        return_sequences, return_state, go_backwards, stateful, unroll: as in RNN.
    Source: Elman 1990; Chollet 6.2.

    >>> import numpy as np
    >>> SimpleRNN(2)(np.ones((3, 5, 4), "float32")).shape
    (3, 2)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: Any = None,
        **more: Any,
    ):
        super().__init__(SimpleRNNCell, locals())


class LSTM(OneCell):
    """Long short-term memory: gates decide what a memory takes in, keeps and shows; `ops.lstm`.

    Args:
        units: the size of the state h, which is also the output, and of the memory c.
        activation: of what comes in and of what is shown.  recurrent_activation: of the gates. Names, functions or None.
        unit_forget_bias: whether the forget gate's bias starts at 1.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed: as in
            LSTMCell.
        activity_regularizer: of the output.
        return_sequences, return_state, go_backwards, stateful, unroll: as in RNN.
        use_cudnn: accepted for Keras's sake; it changes nothing.
    Source: Hochreiter and Schmidhuber 1997; Chollet 6.2.2.

    >>> import numpy as np
    >>> outputs, h, c = LSTM(2, return_sequences=True, return_state=True)(np.ones((3, 5, 4), "float32"))
    >>> outputs.shape, h.shape, c.shape
    ((3, 5, 2), (3, 2), (3, 2))
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
        **more: Any,
    ):
        super().__init__(LSTMCell, locals())


class GRU(OneCell):
    """Gated recurrent unit: a gate keeps the old state or lets a candidate in; `ops.gru`.

    Args:
        units: the size of the state, which is also the output.
        activation: of the candidate.  recurrent_activation: of the gates. Names, functions or None.
        reset_after: whether the other gate acts after the product with the recurrent kernel (two biases) or before it, as first
            published and in the first edition (one bias).
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed: as in
            LSTMCell.
        activity_regularizer: of the output.
        return_sequences, return_state, go_backwards, stateful, unroll: as in RNN.
        use_cudnn: accepted for Keras's sake; it changes nothing.
    Source: Cho et al. 2014; Chollet 6.3.

    >>> import numpy as np
    >>> layer = GRU(32, reset_after=False)
    >>> layer(np.ones((3, 5, 32), "float32")).shape, layer.count_params()
    ((3, 32), 6240)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **more: Any,
    ):
        super().__init__(GRUCell, locals())
