"""What the kernels of simple_rnn, lstm and gru share: the product on the register tile, and when they serve.

Each call of a kernel owns rows lo..hi of the batch for all time steps; the recurrent kernel stays in the cache from one step to
the next. Results do not depend on how many rows a call owns: a row of a product is summed in the same order alone and in a tile.
"""

from refnet.definition import View, row_major
from refnet.ops.recurrent import SIGMOID, TANH
from refnet_fast.cpu.elementary import by_type
from refnet_fast.cpu.tile import TALL, strips
from refnet_fast.derive import Placed, itemsize
from refnet_fast.tables import ELEMENT_NS

sigmoid, tanh = by_type("sigmoid"), by_type("tanh")
MACHINE = {"error_model": "numpy", "fastmath": {"contract"}}
NEEDED = {"activation": TANH, "recurrent_activation": SIGMOID, "reset_after": True}


def served(call):
    """tanh and sigmoid, reset after the product, and one dropout mask for all gates."""
    usual = all(NEEDED[name] == value for name, value in call.attributes.items())
    return usual and call.dtypes - {"bool"} in ({"float32"}, {"float64"}) and call.inputs[-1].shape[0] == 1


class Strided(Placed):
    """An array read through its strides even where they are the usual ones: masks and flows are often one number for all, and
    a kernel for each combination would have to be compiled."""

    contiguous = False


def rows_of(gates, kernel, *repeated):
    """The declaration of a kernel whose tasks are rows of the batch.

    Args:
        gates: how often the units stand in a row of the recurrent kernel.
        kernel: the recurrent kernel's position among the inputs.
        repeated: positions of the inputs that may be one number for all.
    """

    def arguments(call, inputs, outputs):
        read = list(inputs)
        for position in repeated:
            x = inputs[position]
            strides = x.view.strides or tuple(row_major(x.view.shape))
            read[position] = Strided(x.address, View(x.view.shape, strides), x.dtype)
        return [strips(itemsize(call.outputs[0].dtype)), *read, *call.form.attributes, *outputs]

    def row_ns(call):
        time, units = call.outputs[0].shape[1], call.inputs[kernel].shape[0]
        return time * units * (gates * units * 0.02 + 15 * gates * ELEMENT_NS) + 50

    return {
        "when": served,
        "tasks": lambda call: call.form.domain[0],
        "cost": row_ns,
        "quantum": TALL,
        "arguments": arguments,
    }
