"""The state of a training run in one file: everything that the next step depends on, to go on bit for bit.

bytes 0..7    "refnetB1"
bytes 8..39   SHA-256 of all that follows
bytes 40..47  the length of the head, little endian
the head      JSON: place, random streams, and name, dtype and shape of every array
the arrays    one after the other, row-major, little endian
"""

import hashlib
import json
import math
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import FileError
from refnet.graph import Node, Variable
from refnet.optimizers import Optimizer
from refnet.saving.files import parsed
from refnet.seeds import SeedGenerator
from refnet.structure import flatten

MAGIC = b"refnetB1"
START = len(MAGIC) + 32


def variables(model: Any) -> list[Variable]:
    """All that a step reads and writes: weights, the optimizer, metrics, the counter of runs, what layers hold between batches."""
    others = [value for value in vars(model).values() if isinstance(value, Optimizer)]
    found = [*model.weights, model.run_counter]
    found += [v for optimizer in dict.fromkeys([model.optimizer, *others]) for v in optimizer.variables]
    found += [v for metric in model.metrics for v in metric.variables]
    found += [generator.state for generator in _generators(model)]
    found += [v for layer in model._flatten_layers() for v in flatten(getattr(layer, "states", None)) if v is not None]
    return list(dict.fromkeys(found))


def _generators(model: Any) -> list[SeedGenerator]:
    held = [
        value for layer in model._flatten_layers() for name, value in sorted(vars(layer).items()) if name != "_shuffler"
    ]
    return list(dict.fromkeys(value for value in held if isinstance(value, SeedGenerator)))


def _random_nodes(model: Any) -> list[Node]:
    graphs = [model.graph] if model.graph is not None else [graph for graph, _ in model._traced.values()]
    graphs += [traced.graph for traced in model._traced_steps.values()]
    return [node for graph in graphs for node in graph.nodes if node.op.random]


def packed_state(model: Any, epoch: int, step: int, shuffler: list[int]) -> bytes:
    """A run's state as a file's content.

    Args:
        epoch, step: where it goes on.
        shuffler: seed and number of draws of the generator of orders, before the epoch's order was drawn.
    """
    arrays = [np.ascontiguousarray(v.numpy()) for v in variables(model)]
    head = {
        "epoch": epoch,
        "step": step,
        "shuffler": shuffler,
        "seeds": [node.attributes["seed"] for node in _random_nodes(model)],
        "arrays": [[v.name, v.dtype, list(v.shape)] for v in variables(model)],
    }
    text = json.dumps(head).encode()
    body = len(text).to_bytes(8, "little") + text + b"".join(a.tobytes() for a in arrays)
    return MAGIC + hashlib.sha256(body).digest() + body


def restore_state(model: Any, content: bytes) -> tuple[int, int]:
    """Brings a model to the state of a file, once all of it has been checked.

    Returns:
        The epoch and the step at which the run goes on.
    Raises:
        FileError: a damaged file, or one of another model.
    """
    head, arrays = _read(content)
    own, nodes = variables(model), _random_nodes(model)
    wanted = [[v.dtype, list(v.shape)] for v in own]
    if [entry[1:] for entry in head["arrays"]] != wanted:
        raise FileError("it was written for a model of other weights, another optimizer or other metrics.")
    seeds, shuffler = head["seeds"], head["shuffler"]
    if len(seeds) != len(nodes):
        raise FileError(f"it was written for a model with {len(seeds)} random nodes; this one has {len(nodes)}.")
    numbers = [*seeds, *shuffler, head["epoch"], head["step"]]
    if len(shuffler) != 2 or not all(type(n) is int and 0 <= n < 1 << 62 for n in numbers):
        raise FileError("its counters are no numbers.")
    for variable, array in zip(own, arrays):
        variable.set(array)
    for generator in _generators(model):
        generator.seed = int(generator.state.value[0])
    if seeds != [node.attributes["seed"] for node in nodes]:  # the model was made with other seeds this time
        for node, seed in zip(nodes, seeds):
            node.attributes = {**node.attributes, "seed": seed}
        model._forget_programs()
        model._programs.clear()
    model.set_shuffler(*shuffler)
    return head["epoch"], head["step"]


def _read(content: bytes) -> tuple[dict[str, Any], list[Array]]:
    if content[: len(MAGIC)] != MAGIC or hashlib.sha256(content[START:]).digest() != content[len(MAGIC) : START]:
        raise FileError("it is damaged, or no backup of refnet's.")
    length = int.from_bytes(content[START : START + 8], "little")
    at = START + 8 + length
    if at > len(content):
        raise FileError("its head is longer than the file.")
    head = parsed(content[START + 8 : at])
    arrays = []
    for _, name, shape in head["arrays"]:
        dtype = _dtype(name)
        size = math.prod(shape) * dtype.itemsize
        if any(type(d) is not int or d < 0 for d in shape) or at + size > len(content):
            raise FileError("its arrays are longer than the file.")
        arrays.append(np.frombuffer(content[at : at + size], dtype).reshape(shape))
        at += size
    return head, arrays


def _dtype(name: str) -> np.dtype[Any]:
    from refnet import dtypes

    return np.dtype(dtypes.as_numpy(dtypes.standardize(name)))
