"""Keras's fit, on the backend named in KERAS_BACKEND: `keras_fit.py WORK`."""

import os
import sys

import keras
from keras import layers, losses, optimizers
from rounds import serve
from workloads import LEARNING_RATE, WORKS

if os.environ["KERAS_BACKEND"] == "torch":
    import torch as backend

    backend.set_num_threads(os.cpu_count() or 1)
else:
    import jax as backend

work = WORKS[sys.argv[1]]
x, y = work.data()
keras.utils.set_random_seed(0)
last = {"squared error": None, "softmax cross-entropy": "softmax", "sigmoid cross-entropy": "sigmoid"}[work.loss]
loss = {
    "squared error": losses.MeanSquaredError(),
    "softmax cross-entropy": losses.SparseCategoricalCrossentropy(),
    "sigmoid cross-entropy": losses.BinaryCrossentropy(),
}[work.loss]
hidden = [layers.Dense(size, activation="relu") for size in work.sizes[1:-1]]
model = keras.Sequential([layers.Input((work.sizes[0],)), *hidden, layers.Dense(work.sizes[-1], activation=last)])
model.compile(optimizers.RMSprop(LEARNING_RATE), loss)
serve(
    {"keras": keras.__version__, backend.__name__: backend.__version__},
    work.steps,
    lambda epochs: model.fit(x, y, batch_size=work.batch, epochs=epochs, verbose=0),
)
