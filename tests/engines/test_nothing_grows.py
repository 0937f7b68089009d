"""A program that has run once leaves nothing behind when it runs again: no objects, no memory."""

import collections
import gc
import sys

import numpy as np
import pytest

import refnet_fast
from refnet_fast import engine, layers, ops


def live() -> tuple[collections.Counter, int]:
    """Objects by kind, and Python's blocks of memory: an array is one, which the first does not count."""
    getattr(sys, "_clear_type_cache", int)()  # it keeps names that were looked up, thousands of them
    gc.collect()
    return collections.Counter(type(thing).__name__ for thing in gc.get_objects()), sys.getallocatedblocks()


def test_hundreds_of_steps_leave_nothing_behind() -> None:
    random = np.random.default_rng(0)
    x, y = random.standard_normal((72, 5)).astype("float32"), random.standard_normal((72, 1)).astype("float32")
    with refnet_fast.use_engine("cpu"):
        model = refnet_fast.Sequential([refnet_fast.Input((5,)), layers.Dense(6, activation="relu"), layers.Dense(1)])
        model.compile("rmsprop", "mse", metrics=["mae"])
        function = model.function()

        def use(times: int) -> None:
            for _ in range(times):
                model.fit(x, y, batch_size=8, verbose=0, validation_data=(x[:8], y[:8]))  # nine steps
                model.train_on_batch(x[:8], y[:8])
                model.predict(x[:1], verbose=0)
                function(x[:1])

        grown = []
        for _ in range(4):
            kinds, blocks = live()
            use(30)
            kinds_after, blocks_after = live()
            grown.append(({k: n for k in kinds_after if (n := kinds_after[k] - kinds[k]) > 3}, blocks_after - blocks))
    # Python's own stores fill in the beginning, and now and then later by a block or two; 30 calls that leave one thing behind each
    # leave 30, every time.
    assert any(not more and blocks < 25 for more, blocks in grown[1:]), grown


def test_many_shapes_do_not_keep_memory_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs for shapes that come once, images of all sizes say, go when those that came later take much."""
    monkeypatch.setattr(engine, "KEPT_BYTES", 2**20)
    with refnet_fast.use_engine(engine.CpuEngine("cpu", True)) as cpu:
        model = refnet_fast.Sequential([refnet_fast.Input((None, 64)), layers.Activation("relu")])
        images = [np.full((1, height, 64), -height % 7 - 3, "float32") for height in range(500, 540)]
        for image in [*images, images[0]]:
            assert np.array_equal(model.predict_on_batch(image), np.maximum(image, 0))
            assert np.array_equal(ops.square(image), image * image)
        held = [running for at in (cpu, *model._executables.values()) for running in at.built.values()]
        assert engine.KEPT <= len(held) == len(cpu.recent.sizes) < 2 * engine.KEPT
        del model, held
        gc.collect()
        ops.square(np.ones((3, 5), "float32"))
        assert all(holder() is cpu for holder, _ in cpu.recent.sizes)


def test_a_call_with_nan_among_its_numbers_is_built_once() -> None:
    """Though nan is not equal to itself, by which programs are looked up."""
    with refnet_fast.use_engine(engine.CpuEngine("cpu", True)) as cpu:
        for nan in (float("nan"), -float("nan"), float("nan")):
            padded = ops.pad(np.ones(2, "float32"), 1, constant_values=nan)
            assert np.isnan(padded[[0, 3]]).all() and padded[[1, 2]].tolist() == [1, 1]
        assert len(cpu.built) == len(cpu.recent.sizes) == 1
