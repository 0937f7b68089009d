"""refnet's fit: `refnet_fit.py WORK`."""

import sys

import numba
import numpy as np
from nets import built
from rounds import serve
from workloads import WORKS

import refnet_fast

work = WORKS[sys.argv[1]]
x, y = work.data()
model = built(work, refnet_fast)
serve(
    {"numba": numba.__version__, "numpy": np.__version__},
    work.steps,
    lambda epochs: model.fit(x, y, batch_size=work.batch, epochs=epochs, verbose=0),
)
