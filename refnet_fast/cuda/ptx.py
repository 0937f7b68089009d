"""Kernels as PTX, for reading and for proof that they compile: no device is needed, the CUDA toolkit's wheels are."""

import argparse
import itertools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from refnet.definition import View, size_of
from refnet.errors import EngineError
from refnet_fast.cuda import calls, derive, kernels
from refnet_fast.derive import Placed
from refnet_fast.fuse import Operand, unit_shape


def compile_ptx(op, specs, attributes, capability):
    """The kernel derived from a primitive, for one call of it.

    Args:
        specs: the Spec of each input.
        attributes: the call's, complete.
        capability: the architecture, (8, 0) or (9, 0) for example.
    """
    form, results = op.form(*specs, **attributes), op.specs(*specs, **attributes)
    inputs = [Placed(0, view, spec.dtype) for view, spec in zip(form.inputs, specs)]
    outputs = [Placed(0, view, spec.dtype) for view, spec in zip(form.outputs, results)]
    scratch = [Placed(0, View((size_of(form.domain), *shape)), "float64") for shape in form.scratch]
    return derive.derive(op, form, inputs, outputs, scratch).ptx(capability)


def ptx_of_tuned(op, specs, attributes, capability):
    """The tuned kernel that serves a call, as PTX, a text for each of its steps; see `compile_ptx`."""
    return [launch.ptx(capability) for launch in calls.launches(calls.Call(op.name, tuple(specs), attributes))[1]]


def compile_ptx_of_unit(nodes, capability):
    """The kernel of elementwise Instructions that run as one: it stores what none of them reads."""
    made = [y for node in nodes for y in node.outputs]
    read = {x for node in nodes for x in node.inputs}
    tensors = [x for x in read if x not in made] + [y for y in made if y not in read]
    joined, strides = unit_shape(nodes[-1].outputs[0].shape, [t.shape for t in tensors])
    operands = {t: Operand(64 * k, t.dtype, s) for k, (t, s) in enumerate(zip(tensors, strides))}
    return derive.fuse(nodes, operands, joined).ptx(capability)


# ---- what the assembler makes of it

CAPABILITIES = ((8, 0), (9, 0))


def assembler():
    """The path of ptxas: from PATH, or from the wheel nvidia-cuda-nvcc.

    Raises:
        EngineError: there is none.
    """
    found = shutil.which("ptxas")
    if found is None:
        from cuda.pathfinder import find_nvidia_binary_utility

        found = find_nvidia_binary_utility("ptxas")
    if found is None:
        raise EngineError("ptxas, which assembles PTX, was not found. Install it: pip install nvidia-cuda-nvcc-cu12")
    return found


def usage(text, capability):
    """What an assembled kernel takes of the device: {"registers", "spills" (bytes stored and loaded), "stack" and "shared" (bytes)}.

    On the stack of a thread, which is memory, lies what is spilled, and arrays of its own that registers cannot index.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(text)
        target = f"-arch=sm_{capability[0]}{capability[1]}"
        command = [assembler(), "-v", target, str(source), "-o", str(source.with_suffix(".cubin"))]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise EngineError(f"ptxas refused a kernel for {target}: {done.stderr.strip()}")

    def number(pattern):
        return sum(map(int, re.findall(pattern, done.stderr)))

    return {
        "registers": number(r"Used (\d+) registers"),
        "spills": number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
        "stack": number(r"(\d+) bytes stack frame"),
        "shared": number(r"(\d+) bytes smem"),
    }


def in_float64(text):
    """How many instructions of a kernel work on float64. To read an argument, or to move a constant, is no work: both are done once."""
    found = re.findall(r"^\s*(?:@!?%p\d+\s+)?([a-z][\w.:]*\.f64[\w.:]*)\s", text, re.MULTILINE)
    return sum(not name.startswith(("ld.param", "mov")) for name in found)


def table(capabilities=CAPABILITIES, named=""):
    """Yields (kernel's step, capability, usage, instructions in float64) of every tuned kernel, those in TF32 too, for each architecture.

    Args:
        named: a part of the names of the kernels that are wanted; all of them have the empty one.
    """
    kernels.load()
    for rounds, family in ((False, kernels.tuned), (True, kernels.rounding)):
        for found in (k for several in family.values() for k in several if named in k.name):
            call = calls.USUAL[found.name.replace("_rounded", "_tiled")]  # in TF32 the calls of float32 are served
            served, launches = calls.launches(call, rounds)
            if served is not found:
                raise EngineError(
                    f"the call of {found.name} in refnet_fast.cuda.calls is served by another kernel: mend it."
                )
            for launch in {launch.text: launch for launch in launches}.values():
                for capability in capabilities:
                    text = launch.ptx(capability)
                    yield launch.step, capability, usage(text, capability), in_float64(text)


def architecture(text):
    """(8, 0) of "sm_80".

    Raises:
        ValueError: it is no architecture.
    """
    if not re.fullmatch(r"sm_\d{2,3}", text):
        raise ValueError(text)
    return int(text[3:-1]), int(text[-1])


def main(arguments=None):
    """Prints the table, row by row."""
    parser = argparse.ArgumentParser(
        prog="python -m refnet_fast.cuda.ptx",
        description="What each tuned CUDA kernel takes of a device, as ptxas assembles it. All of them take some three minutes.",
    )
    parser.add_argument("named", nargs="?", default="", help="kernels whose names have this in them (default: all)")
    parser.add_argument(
        "--for", dest="capabilities", type=architecture, action="append", metavar="sm_90",
        help="an architecture; may be given several times (default: sm_80 and sm_90)",
    )  # fmt: skip
    chosen = parser.parse_args(arguments)
    rows = table(chosen.capabilities or CAPABILITIES, chosen.named)
    first = next(rows, None)
    if first is None:
        parser.error(f"no kernel has {chosen.named!r} in its name; `softmax` or `conv2d` find some")
    columns = "spilled bytes", "stack bytes", "shared bytes", "in float64"
    print(f"{'kernel':48} {'for':6} {'registers':>9}", *(f"{column:>13}" for column in columns))
    for name, (major, minor), used, wide in itertools.chain([first], rows):
        counts = used["spills"], used["stack"], used["shared"], wide
        print(f"{name:48} sm_{major}{minor}  {used['registers']:9}", *(f"{count:13}" for count in counts), flush=True)


if __name__ == "__main__":
    import refnet.ops  # noqa: F401  (declares the ops)

    main()
