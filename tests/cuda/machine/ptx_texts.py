"""Kernels written in PTX for tests of the machine, and how they are run."""

import numpy as np

from refnet_fast.cuda.machine.running import launch

KINDS = {"u16": "uint16", "s16": "int16", "b16": "uint16", "u32": "uint32", "s32": "int32", "b32": "uint32"}
KINDS |= {"u64": "uint64", "s64": "int64", "b64": "uint64", "f16": "float16", "f32": "float32", "f64": "float64"}
KINDS |= {"u8": "uint8", "s8": "int8", "bf16": "uint16", "tf32": "uint32", "f16x2": "uint32", "bf16x2": "uint32"}
WIDE = {"u8": "b16", "s8": "b16", "f16": "b16", "bf16": "b16", "tf32": "b32", "f16x2": "b32", "bf16x2": "b32"}


def kernel(body, parameters=1, shared=()):
    """The text of a kernel whose parameters are 64 bits each, p0, p1, ..."""
    given = ",\n".join(f".param .u64 p{n}" for n in range(parameters))
    head = "\n".join([".version 8.8", ".target sm_90", ".address_size 64", *shared])
    return f"{head}\n.visible .entry kernel(\n{given}\n)\n{{\n{body}\n}}\n"


def words(*arrays):
    return [a.ctypes.data.to_bytes(8, "little") for a in arrays]


def regions(*arrays):
    return [(a.ctypes.data, a.nbytes) for a in arrays]


def run(text, grid, block, *arrays, **options):
    return launch(text, grid, block, words(*arrays), regions(*arrays), **options)


def registers(names, kind):
    return f".reg .{WIDE.get(kind, kind)} {', '.join(names)};"


def computed(instruction, kinds, *columns):
    """What an instruction makes of each row of its operands, a thread each.

    Args:
        kinds: the types of the result and of the operands.
    """
    count = len(columns[0])
    # 16 bytes of room behind each array: the machine sees whole sixteens of the host's memory.
    arrays = [np.zeros(count + 16, KINDS[kind]) for kind in kinds]
    for array, kind, column in zip(arrays[1:], kinds[1:], columns, strict=True):
        array[:count] = stored_as(column, kind)
    lines = [".reg .u64 %a<9>;", ".reg .u32 %t;", "mov.u32 %t, %tid.x;"]
    names = [f"%x{n}" for n in range(len(kinds))]
    for n, (name, kind) in enumerate(zip(names, kinds)):
        stored = KINDS[kind][0] + str(8 * np.dtype(KINDS[kind]).itemsize)
        stored = stored.replace("i", "s") if WIDE.get(kind) is None or kind in ("u8", "s8") else WIDE[kind]
        lines += [registers([name], kind), f"ld.param.u64 %a{n}, [p{n}];"]
        lines += [f"mad.wide.u32 %a{n}, %t, {np.dtype(KINDS[kind]).itemsize}, %a{n};"]
        if n:
            lines.append(f"ld.global.{stored} {name}, [%a{n}];")
        else:
            last = f"st.global.{stored} [%a0], {name};"
    text = kernel("\n".join([*lines, f"{instruction} {', '.join(names)};", last, "ret;"]), len(kinds))
    run(text, (1,), (count,), *arrays)
    return arrays[0][:count]


def stored_as(column, kind):
    """Numbers as an array: of integers the lowest bits."""
    if all(isinstance(value, int) for value in column):
        signed = not KINDS[kind].startswith("u") and min(column) < 0
        column = np.array([value if signed else value % 2**64 for value in column], "int64" if signed else "uint64")
    return np.asarray(column).astype(KINDS[kind])
