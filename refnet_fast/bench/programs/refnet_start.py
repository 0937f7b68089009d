"""Prints how many seconds something takes that a user waits for: `refnet_start.py FUNCTION ARGUMENT`."""

import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np
from nets import built
from workloads import WORKS

import refnet_fast
from refnet_fast import backend

CALLS = 20  # in each of so many tries, few enough to fit between two of the scheduler's: the fastest try counts
TRIES = 300


def load(_: str = "") -> float:
    """What `import refnet_fast` leaves for later: the library's parts, the engine, Numba and all that it imports for a kernel."""
    start = time.perf_counter()
    refnet_fast.Sequential, refnet_fast.ops.add(np.float32(1), np.float32(1))
    return time.perf_counter() - start


def first_fit(name: str) -> float:
    """A model built, compiled and fitted for a step, in a process that has done nothing yet but to load the engine."""
    work = WORKS[name]
    x, y = (array[: work.batch] for array in work.data())
    load()
    start = time.perf_counter()
    built(work, refnet_fast).fit(x, y, batch_size=work.batch, epochs=1, verbose=0)
    return time.perf_counter() - start


def new_function(name: str) -> float:
    """The gradient of a trained model's output with respect to its input: a graph that is new, made and run for the first time."""
    work = WORKS[name]
    x, y = (array[: work.batch] for array in work.data())
    model = built(work, refnet_fast)
    model.fit(x, y, batch_size=work.batch, epochs=1, verbose=0)
    start = time.perf_counter()
    gradients = backend.gradients(backend.mean(model.output), model.input)
    backend.function([model.input], gradients)([x[:1]])
    return time.perf_counter() - start


def predict(name: str) -> float:
    """`predict` of one sample, again and again."""
    model, sample = trained(name)
    return often(lambda: model.predict(sample, verbose=0))


def lean_function(name: str) -> float:
    """A call of what `model.function()` gives, again and again."""
    model, sample = trained(name)
    function = model.function()
    return often(lambda: function(sample))


def augmentation(_: str) -> float:
    """A batch of 20 images of 150x150, with everything that ImageDataGenerator can do to them, on one processor."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    images = np.random.default_rng(0).integers(0, 256, (100, 150, 150, 3)).astype(np.float32)
    generator = refnet_fast.preprocessing.image.ImageDataGenerator(
        rescale=1 / 255,
        rotation_range=40,
        width_shift_range=0.2,
        height_shift_range=0.2,
        brightness_range=(0.8, 1.2),
        shear_range=0.2,
        zoom_range=0.2,
        channel_shift_range=10.0,
        horizontal_flip=True,
        vertical_flip=True,
        samplewise_center=True,
        samplewise_std_normalization=True,
    )
    batches = generator.flow(images, np.zeros(100), batch_size=20)
    return fastest(lambda: next(batches), 1, 30)


def trained(name: str) -> tuple:
    """A model that has predicted, and a sample."""
    work = WORKS[name]
    x, _ = work.data()
    model = built(work, refnet_fast)
    model.predict(x[:1], verbose=0)
    return model, x[:1]


def often(call: Callable[[], object]) -> float:
    return fastest(call, CALLS, TRIES)


def fastest(call: Callable[[], object], calls: int, tries: int) -> float:
    """Seconds a call, in the fastest of some tries."""
    call()
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        times.append((time.perf_counter() - start) / calls)
    return min(times)


print(json.dumps(globals()[sys.argv[1]](sys.argv[2])))
