"""Kernels as PTX, for reading and for proof that they compile: no device is needed, the CUDA toolkit's wheels are."""

from refnet.definition import View, size_of
from refnet_fast.cuda import derive, kernels
from refnet_fast.derive import Placed
from refnet_fast.fuse import Operand, unit_shape
from refnet_fast.kernels import KernelCall


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


def compile_ptx_of_tuned(op, specs, attributes, capability):
    """The tuned kernel that serves a call, as PTX; see `compile_ptx`."""
    form, results = op.form(*specs, **attributes), op.specs(*specs, **attributes)
    call = KernelCall(op, form, tuple(specs), results, attributes)
    inputs = [Placed(0, view, spec.dtype) for view, spec in zip(form.inputs, specs)]
    outputs = [Placed(0, view, spec.dtype) for view, spec in zip(form.outputs, results)]
    return kernels.find(call).launch(call, inputs, outputs).ptx(capability)


def compile_ptx_of_unit(nodes, capability):
    """The kernel of elementwise Instructions that run as one: it stores what none of them reads."""
    made = [y for node in nodes for y in node.outputs]
    read = {x for node in nodes for x in node.inputs}
    tensors = [x for x in read if x not in made] + [y for y in made if y not in read]
    joined, strides = unit_shape(nodes[-1].outputs[0].shape, [t.shape for t in tensors])
    operands = {t: Operand(64 * k, t.dtype, s) for k, (t, s) in enumerate(zip(tensors, strides))}
    return derive.fuse(nodes, operands, joined).ptx(capability)
