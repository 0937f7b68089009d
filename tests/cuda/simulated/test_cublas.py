"""cuBLASLt as a provider of products: the library itself is faked, strictly (`fake_cublas`); it has not run on hardware."""

import gc
import importlib.util

import numpy as np
import pytest
from fake_cublas import Fake

import refnet_fast
from refnet import dtypes, layers
from refnet.definition import Op
from refnet.engine import use_engine
from refnet.errors import EngineError
from refnet.models import Sequential
from refnet.testing import hold
from refnet.testing.whole import hold_step
from refnet_fast.cuda import cublas, target
from refnet_fast.cuda.engine import CudaEngine

generator = np.random.default_rng(6)
MATMUL = Op.named["matmul"]


@pytest.fixture
def library(monkeypatch):
    """The fake that is called in the library's place."""
    fake = Fake()
    monkeypatch.setattr(cublas, "bindings", lambda: (fake, fake))
    return fake


def engine():
    made = CudaEngine("cuda-sim")
    made.library = cublas.Cublas()
    return made


def drawn(*shape, dtype="float32"):
    return generator.standard_normal(shape).astype(dtypes.as_numpy(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
def test_certified(library, dtype, turned):
    """A batch of products; the first factor shared by all of it."""
    a, b = (3, 4) if turned[0] else (4, 3), (2, 5, 3) if turned[1] else (2, 3, 5)
    arrays, attributes = (
        [drawn(1, *a, dtype=dtype), drawn(*b, dtype=dtype)],
        dict(zip(("transpose1", "transpose2"), turned)),
    )
    runner = engine()
    results = runner.compute(MATMUL, arrays, attributes)
    assert library.run == 1 and hold(MATMUL, runner, arrays, attributes, results) <= 1
    ((shape, terms, aligned),) = library.planned
    assert shape == (5, 4) and terms == 3 and set(aligned) == {16}


@pytest.mark.parametrize("rows, inner, columns", [(1, 1, 1), (1, 4, 1), (3, 1, 2), (1, 3, 4), (4, 3, 1)])
@pytest.mark.parametrize("turned", [(False, False), (True, True)])
def test_matrices_of_one_line(library, rows, inner, columns, turned):
    arrays = [
        drawn(*((inner, rows) if turned[0] else (rows, inner))),
        drawn(*((columns, inner) if turned[1] else (inner, columns))),
    ]
    attributes, runner = dict(zip(("transpose1", "transpose2"), turned)), engine()
    assert hold(MATMUL, runner, arrays, attributes, runner.compute(MATMUL, arrays, attributes)) <= 1
    assert library.run == 1


def test_what_the_library_does_not_take_is_computed_by_our_own(library):
    library.algorithms = 0
    runner, attributes = engine(), {"transpose1": False, "transpose2": False}
    arrays = [drawn(3, 4), drawn(4, 2)]
    assert hold(MATMUL, runner, arrays, attributes, runner.compute(MATMUL, arrays, attributes)) <= 1
    (running,) = runner.built.values()
    assert library.run == 0 and running.launches[0].step == "matmul_tiled"
    empty = engine().compute(MATMUL, [drawn(3, 0), drawn(0, 2)], attributes)[0]
    whole = engine().compute(MATMUL, [np.ones((3, 4), "int32"), np.ones((4, 2), "int32")], attributes)[0]
    np.testing.assert_array_equal(empty, np.zeros((3, 2)))
    np.testing.assert_array_equal(whole, np.full((3, 2), 4))
    assert library.run == 0


def test_training_plans_each_product_once_and_holds_what_its_nodes_certify(library):
    x, y = drawn(6, 4), generator.integers(0, 3, 6)

    def network():
        refnet_fast.utils.set_random_seed(1)
        model = Sequential(
            [layers.Input((4,)), layers.Dense(5, activation="relu"), layers.Dense(3, activation="softmax")]
        )
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    with use_engine(engine()):
        model, fitted = network(), network()
        fitted.fit(x, y, batch_size=3, epochs=3, shuffle=False, verbose=0)
        # two products forward, two for kernels, one for inputs
        assert len(library.planned) == 5 and library.run == 6 * 5
        for batch in (slice(3), slice(3, 6)) * 3:
            assert 0 < hold_step(model, x[batch], y[batch]) <= 1
        for got, due in zip(fitted.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(got, due)


def test_nothing_of_the_library_outlives_its_engine(library):
    runner = engine()
    runner.compute(MATMUL, [drawn(3, 4), drawn(4, 2)], {"transpose1": False, "transpose2": False})
    assert len(library.alive) == 5  # handle, product, three layouts: the preference is gone once it has been asked for
    del runner
    gc.collect()
    assert not library.alive


def test_what_is_missing_is_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "nvmath" else find(name, *more)
    )
    with pytest.raises(
        EngineError, match=r"'cuda-cublas' needs the package nvmath-python.*pip install 'refnet\[cuda,cublas\]'"
    ):
        CudaEngine("cuda-cublas")
    monkeypatch.setattr(cublas, "check", lambda: None)
    with pytest.raises(EngineError, match="has Numba's simulator and no device"):
        CudaEngine("cuda-cublas")


def test_it_is_switched_on_by_its_name_alone(monkeypatch, library):
    monkeypatch.setattr(cublas, "check", lambda: None)
    monkeypatch.setattr(target, "check", lambda name, number=0: None)
    assert CudaEngine("cuda-sim").library is None and CudaEngine("cuda").library is None
    named = refnet_fast.get_engine("cuda-cublas:1")
    assert named.name == "cuda-cublas:1" and isinstance(named.library, cublas.Cublas) and library.last == 1000
