"""Keras's fit, on the backend named in KERAS_BACKEND: `keras_fit.py WORK`."""

import os
import sys

import keras
from nets import built
from rounds import serve
from workloads import WORKS

if os.environ["KERAS_BACKEND"] == "torch":
    import torch as backend

    backend.set_num_threads(os.cpu_count() or 1)
else:
    import jax as backend

work = WORKS[sys.argv[1]]
x, y = work.data()
model = built(work, keras)
serve(
    {"keras": keras.__version__, backend.__name__: backend.__version__},
    work.steps,
    lambda epochs: model.fit(x, y, batch_size=work.batch, epochs=epochs, verbose=0),
)
