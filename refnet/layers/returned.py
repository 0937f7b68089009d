"""The node that marks what a layer returned."""

from refnet.definition import Op, Spec
from refnet.graph import Node, Tensor

# A layer that returns one of its inputs still has to be found from what it returned: the input goes through this node.
identity_op = Op(
    "returned", lambda x: Spec(tuple(x.shape), x.dtype), expand=lambda x: x, gradient=lambda node, dy: [dy]
)


def identity(x: Tensor) -> Tensor:
    result: Tensor = Node(identity_op, (x,), {}).outputs[0]
    result.mask = x.mask
    return result
