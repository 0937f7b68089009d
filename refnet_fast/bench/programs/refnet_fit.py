"""refnet's fit: `refnet_fit.py WORK`."""

import sys

import numba
import numpy as np
from rounds import serve
from workloads import LEARNING_RATE, WORKS

from refnet_fast import Sequential, layers, losses, optimizers, utils

work = WORKS[sys.argv[1]]
x, y = work.data()
utils.set_random_seed(0)
last = {"squared error": None, "softmax cross-entropy": "softmax", "sigmoid cross-entropy": "sigmoid"}[work.loss]
loss = {
    "squared error": losses.MeanSquaredError(),
    "softmax cross-entropy": losses.SparseCategoricalCrossentropy(),
    "sigmoid cross-entropy": losses.BinaryCrossentropy(),
}[work.loss]
hidden = [layers.Dense(size, activation="relu") for size in work.sizes[1:-1]]
model = Sequential([layers.Input((work.sizes[0],)), *hidden, layers.Dense(work.sizes[-1], activation=last)])
model.compile(optimizers.RMSprop(LEARNING_RATE), loss)
serve(
    {"numba": numba.__version__, "numpy": np.__version__},
    work.steps,
    lambda epochs: model.fit(x, y, batch_size=work.batch, epochs=epochs, verbose=0),
)
