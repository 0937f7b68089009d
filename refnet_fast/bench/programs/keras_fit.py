"""Keras's fit, on the backend named in KERAS_BACKEND: `keras_fit.py WORK`."""

import importlib
import os
import sys

from nets import built
from rounds import processors, serve
from workloads import WORKS

NAME = os.environ["KERAS_BACKEND"]
if NAME != "tensorflow":
    sys.modules["tensorflow"] = None  # Keras would load it where it is installed, threads and all, and not use it
keras = importlib.import_module("keras")
backend = importlib.import_module(NAME)
if NAME == "torch":  # the others take all processors by themselves
    backend.set_num_threads(processors())
work = WORKS[sys.argv[1]]
x, y = work.data()
model = built(work, keras)
serve(
    {"keras": keras.__version__, backend.__name__: backend.__version__},
    work.steps,
    lambda epochs: model.fit(x, y, batch_size=work.batch, epochs=epochs, verbose=0),
)
