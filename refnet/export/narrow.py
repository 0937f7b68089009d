"""Dtypes for which runtimes have no kernels: the op is written on wider integers, and its result made narrow again."""

from refnet.export import arranging, elementwise, reductions
from refnet.export.writer import RULES, Exported, Rule, Writer
from refnet.graph import Tensor

DEFINED = (arranging, elementwise, reductions)  # whose rules are there to be changed
# What holds every value of a dtype; sums and products keep their low bits.
WIDER = {"bool": "int32", "int8": "int32", "uint8": "int32", "int16": "int32", "uint16": "int32", "uint32": "int64"}
COMPARISONS = ("less", "less_equal", "greater", "greater_equal")
OPS = (
    *COMPARISONS,
    *("max", "min", "argmax", "argmin", "sum", "prod", "cumsum", "argsort"),
    *("sign", "negative", "power", "integer_power", "mod", "floor_divide", "where"),
)


def widened(op: str, rule: Rule) -> None:
    """Registers a rule again, behind casts of what it reads and makes."""

    def wide(w: Writer, call: Exported) -> str:
        read = call.inputs[1 if op == "where" else 0 :]  # a condition stays a bool
        wider = WIDER.get(read[0].dtype)
        if wider is None:
            result: str = rule(w, call)
            return result
        kept = len(call.inputs) - len(read)
        names = (*call.names[:kept], *(w.cast(name, wider) for name in call.names[kept:]))
        inputs = (*call.inputs[:kept], *(Tensor(x.shape, wider) for x in read))
        y: str = rule(w, call._replace(names=names, inputs=inputs))
        narrow = call.outputs[0].dtype
        return y if op in COMPARISONS or op.startswith("arg") or narrow == wider else w.cast(y, narrow)

    RULES[op] = wide


for _op in OPS:
    widened(_op, RULES[_op])
