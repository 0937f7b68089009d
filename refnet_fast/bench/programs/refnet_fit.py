"""refnet's fit: `refnet_fit.py WORK`. With `--facts` it tells what its first epoch came to: see `facts`."""

import hashlib
import sys

import numba
import numpy as np
from nets import built
from rounds import serve
from workloads import found

import refnet_fast
from refnet.definition import size_of
from refnet_fast.bench.profile import step_of

work = found(sys.argv[1])
x, y = work.data()
model = built(work, refnet_fast)


def facts() -> dict:
    """The bits of the weights, as a hash, and the operations of a step, as the definitions count them."""
    bits = hashlib.sha256(b"".join(array.tobytes() for array in model.get_weights())).hexdigest()
    nodes = [node for node in step_of(model).plan.instructions if node.op.name != "reshape"]
    forms = [node.op.form(*node.inputs, **node.attributes) for node in nodes]
    return {"weights": bits, "operations": sum(size_of(form.domain) * form.cost for form in forms)}


serve(
    {"numba": numba.__version__, "numpy": np.__version__},
    work.steps,
    lambda epochs: model.fit(x, y, batch_size=work.batch, epochs=epochs, verbose=0),
    facts if "--facts" in sys.argv[2:] else None,
)
