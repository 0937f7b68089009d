"""Multi-hot inputs of fit as index lists: the product's certificate, its nan and infinity, and when they serve."""

from typing import Any

import numpy as np
import pytest

import refnet_fast
from refnet import ops
from refnet.engine import get_engine
from refnet.graph import Mode, Tensor, Variable, assignment, trace
from refnet.models.batches import Arrays
from refnet.program import Program
from refnet.testing.certificates import hold, named
from refnet_fast import layers, lists, vm
from refnet_fast.running import Running

COLUMNS, UNITS, BATCH = 200, 3, 8
NO_TURNS = {"transpose1": False, "transpose2": False}


def multi_hot(samples: int, seed: int = 0) -> np.ndarray:
    """Rows of a few ones; the first is empty."""
    random = np.random.default_rng(seed)
    x = np.zeros((samples, COLUMNS), "float32")
    for row in x[1:]:
        row[random.integers(0, COLUMNS, random.integers(1, 6))] = 1
    return x


class Products:
    """x w, and with a given slope the gradient of w, as a program that the cpu engine runs batch by batch."""

    def __init__(self, weights: np.ndarray, slope: np.ndarray):
        weight, x = Variable(weights), Tensor((None, COLUMNS))
        with trace.inside(collecting=True):
            y = ops.matmul(x, weight)
            (gradient,) = ops.gradients(ops.sum(ops.multiply(y, slope)), [weight])
        self.program = Program([x], [y, gradient], [], Mode(True))
        self.step = get_engine("cpu").prepare(self.program)

    def run(self, x: np.ndarray, order: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        given = self.step.fed([x], BATCH)
        assert isinstance(given[0], lists.IndexLists)
        steps = len(x) // BATCH
        y, gradient = np.zeros((len(x), UNITS), "float32"), np.zeros((steps * COLUMNS, UNITS), "float32")
        done = 0
        while done < steps:  # it comes back earlier where the machine is slow
            done = self.step.run_batches(given, order, BATCH, done, steps, [y, gradient])
        return y, gradient.reshape(steps, COLUMNS, UNITS)


def drawn(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return tuple(random.standard_normal(shape).astype("float32") for shape in ((COLUMNS, UNITS), (BATCH, UNITS)))


def test_products_and_gradients_hold_their_certificates_in_any_order_of_samples() -> None:
    x, (weights, slope), cpu, matmul = multi_hot(16), drawn(), get_engine("cpu"), named("matmul")
    order = np.random.default_rng(2).permutation(16)
    for taken in (None, order):
        y, gradient = Products(weights, slope).run(x, taken)
        rows = x if taken is None else x[taken]
        hold(matmul, cpu, [rows, weights], NO_TURNS, [y])
        for step in range(2):
            batch = np.ascontiguousarray(rows[step * BATCH : (step + 1) * BATCH])
            hold(matmul, cpu, [batch, slope], {"transpose1": True, "transpose2": False}, [gradient[step]])
        assert np.abs(y).max() > 0.5 and np.abs(gradient).max() > 0.5


def test_nan_and_infinity_meet_zeros_too() -> None:
    x, (weights, slope) = multi_hot(BATCH), drawn()
    unused = int(np.flatnonzero(x.sum(0) == 0)[0])
    weights[unused, 0], weights[unused, 1], slope[0, 2] = np.nan, -np.inf, np.inf
    y, gradient = Products(weights, slope).run(x)
    assert np.isnan(y[:, :2]).all() and np.isfinite(y[:, 2]).all()  # 0 * nan and 0 * infinity are nan
    assert np.isnan(gradient[0, :, 2]).all() and np.isfinite(gradient[0, :, :2]).all()


def test_an_infinity_that_only_a_one_meets_stays_an_infinity() -> None:
    """Every other element of the row is 0 or 1 times a number; 0 * infinity is met by the samples that lack the one."""
    x, (weights, slope), cpu, matmul = multi_hot(BATCH), drawn(), get_engine("cpu"), named("matmul")
    used = int(np.flatnonzero(x[3])[0])
    weights[used], slope[3] = (np.inf, -np.inf, 1.0), (np.inf, 1.0, -np.inf)
    y, gradient = Products(weights, slope).run(x)
    hold(matmul, cpu, [x, weights], NO_TURNS, [y])
    hold(matmul, cpu, [x, slope], {"transpose1": True, "transpose2": False}, [gradient[0]])
    assert y[3, 0] == np.inf and y[3, 1] == -np.inf and np.isnan(y[0, :2]).all() and np.isfinite(y[:, 2]).all()
    assert gradient[0, used, 0] == np.inf and gradient[0, used, 2] == -np.inf


def test_a_batch_by_itself_is_read_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    x, (weights, slope), cpu, matmul = multi_hot(2 * BATCH), drawn(), get_engine("cpu"), named("matmul")
    products, found = Products(weights, slope), []
    scan = lists.listed
    monkeypatch.setattr(lists, "listed", lambda array: found.append(scan(array)) or found[-1])
    due, at_once = products.run(x), []
    for batch in (x[:BATCH], x[BATCH:]):  # between runs of an epoch, on the same program
        y, gradient = products.step.run([batch])
        hold(matmul, cpu, [batch, weights], NO_TURNS, [y])
        hold(matmul, cpu, [batch, slope], {"transpose1": True, "transpose2": False}, [gradient])
        at_once.append((y, gradient))
        again = products.run(x)
        assert all(np.array_equal(a, b) for a, b in zip(again, due, strict=True))
    assert np.array_equal(np.concatenate([y for y, _ in at_once]), due[0])
    assert np.array_equal(np.stack([gradient for _, gradient in at_once]), due[1])
    dense = x[:BATCH] * 2
    hold(matmul, cpu, [dense, weights], NO_TURNS, products.step.run([dense])[:1])
    assert len(found) == 5 and all(found)


class OneByOne(refnet_fast.utils.PyDataset):
    def __init__(self, x: np.ndarray, y: np.ndarray, size: int):
        super().__init__()
        self.x, self.y, self.size = x, y, size

    def __len__(self) -> int:
        return -(-len(self.x) // self.size)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        rows = slice(number * self.size, (number + 1) * self.size)
        return self.x[rows], self.y[rows]


def test_however_the_samples_come_the_bits_are_the_same() -> None:
    """Of arrays and of a data set, at once and batch by batch; the last batch is smaller."""
    x = multi_hot(520)
    y = (x[:, :100].sum(1) > x[:, 100:].sum(1)).astype("float32")
    model = trained(x, y)
    again = trained(OneByOne(x, y, 256), None)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), again.get_weights(), strict=True))
    assert model.evaluate(x, y, batch_size=256, verbose=0) == again.evaluate(OneByOne(x, y, 256), verbose=0)
    whole = model.predict(x, batch_size=256, verbose=0)
    parts = [model.predict_on_batch(x[at : at + 256]) for at in (0, 256, 512)]
    assert np.array_equal(whole, np.concatenate(parts)) and np.array_equal(whole, model(x))


def test_a_column_that_all_samples_share_is_not_one_long_sum() -> None:
    """64 thousand slopes of 0.1 added one after the other in float32 are 0.06 % off, in blocks a few roundings."""
    samples = 2**16
    x = np.zeros((samples, COLUMNS), "float32")
    x[:, 7] = 1
    slope = np.full((samples, UNITS), 0.1, "float32")
    weight, given = Variable(np.zeros((COLUMNS, UNITS), "float32")), Tensor((None, COLUMNS))
    with trace.inside(collecting=True):
        y = ops.matmul(given, weight)
        (gradient,) = ops.gradients(ops.sum(ops.multiply(y, slope)), [weight])
    step = get_engine("cpu").prepare(Program([given], [gradient], [], Mode(True)))
    taken, due = step.fed([x], samples), np.zeros((COLUMNS, UNITS), "float32")
    assert isinstance(taken[0], lists.IndexLists)
    assert step.run_batches(taken, None, samples, 0, 1, [due]) == 1
    np.testing.assert_allclose(due[7], samples * np.float64(np.float32(0.1)), rtol=(2048 + 32) * 2**-24)
    assert not np.delete(due, 7, axis=0).any()


def test_data_that_were_not_reached_do_not_take_the_place_of_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch that ends before its first batch, by Ctrl-C or for want of memory, leaves nothing of its data behind."""
    products = Products(*drawn())
    first, second = (products.step.fed([multi_hot(BATCH, seed)], BATCH) for seed in (0, 1))

    def run(data: list) -> tuple[np.ndarray, np.ndarray]:
        y, gradient = kept
        products.step.run_batches(data, None, BATCH, 0, 1, [y, gradient])
        return y.copy(), gradient.copy()

    kept = np.zeros((BATCH, UNITS), "float32"), np.zeros((COLUMNS, UNITS), "float32")
    due, other = run(first), run(second)
    assert all(not np.array_equal(a, b) for a, b in zip(due, other))
    run(first)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Running, "_machine", interrupted)
        run(second)
    assert all(np.array_equal(a, b) for a, b in zip(run(first), due, strict=True))


def interrupted(*given: object) -> None:
    raise KeyboardInterrupt


def test_one_and_two_threads_train_to_the_same_bits() -> None:
    x = multi_hot(520)  # the last batch is smaller, and dense
    y = (x[:, :100].sum(1) > x[:, 100:].sum(1)).astype("float32")
    weights = []
    for threads in (1, 2):
        vm.set_threads(threads)
        try:
            weights.append(trained(x, y, shuffle=True).get_weights())
        finally:
            vm.set_threads(None)
    assert all(np.array_equal(one, two) for one, two in zip(*weights, strict=True))


def trained(x: Any, y: Any, shuffle: bool = False) -> refnet_fast.Sequential:
    refnet_fast.utils.set_random_seed(1)
    model = refnet_fast.Sequential(
        [refnet_fast.Input((COLUMNS,)), layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")]
    )
    model.compile(refnet_fast.optimizers.RMSprop(0.01), "binary_crossentropy")
    with refnet_fast.use_engine("cpu"):
        model.fit(x, y, **({} if y is None else {"batch_size": 256}), epochs=3, shuffle=shuffle, verbose=0)
    return model


def test_a_fit_sees_what_its_array_holds_when_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lists of one fit are not another's; without lists the weights are the same to the bit, for no sum here is ever rounded:
    slopes are 1 and -1, whatever the weights are, and the mean's divisor a power of two."""
    x, results = multi_hot(256), []
    y = np.where(x[:, :100].sum(1) > x[:, 100:].sum(1), 1, -1).astype("float32")[:, None]
    for flag in ("1", "0"):
        monkeypatch.setenv("REFNET_INDEX_LISTS", flag)
        seen: list = []
        scan = lists.listed
        monkeypatch.setattr(lists, "listed", lambda array, seen=seen, scan=scan: seen.append(1) or scan(array))
        held = x.copy()
        refnet_fast.utils.set_random_seed(1)
        model = refnet_fast.Sequential([refnet_fast.Input(x.shape[1:]), layers.Dense(1, kernel_initializer="zeros")])
        model.compile(refnet_fast.optimizers.SGD(0.5), lambda y, p: ops.multiply(y, p))
        with refnet_fast.use_engine("cpu"):
            model.fit(held, y, batch_size=128, epochs=3, verbose=0)
            held[:] = x[::-1]
            model.fit(held, y, batch_size=128, epochs=2, verbose=0)
        assert len(seen) == (2 if flag == "1" else 0)
        results.append(model.get_weights())
        monkeypatch.undo()
    due = -0.5 * (3 * x.T @ y + 2 * x[::-1].T @ y) / 128
    assert np.array_equal(results[0][0], due) and np.array_equal(results[1][0], due) and due.any()


CHANGES = ["a two", "nan", "many ones", "few columns", "read elsewhere", "kept", "turned around"]


@pytest.mark.parametrize("first", [0, 3], ids=["all", "but those that are looked at before"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_stays_dense(change: str, first: int) -> None:
    """Where the data say so, also if it is none of the few samples that are looked at before all are scanned."""
    x, (weights, _) = multi_hot(8 * BATCH), drawn()
    if change in ("a two", "nan"):
        x[first, -1] = 2 if change == "a two" else np.nan
    if change == "many ones":
        x[first :: 8 if first else 1, :100] = 1
    columns = 100 if change == "few columns" else COLUMNS
    weight, given = Variable(weights[:columns]), Tensor((None, columns))
    with trace.inside(collecting=True):
        y = ops.matmul(given, weight)
        if change == "turned around":
            y = ops.matmul(given, ops.transpose(Variable(weights.T.copy())))
        y = ops.add(y, ops.sum(given)) if change == "read elsewhere" else y
        last = Variable(np.zeros((BATCH, columns), "float32"))
        kept = [assignment(last, given)] if change == "kept" else []
    program, x = Program([given], [y], kept, Mode(True)), np.ascontiguousarray(x[:, :columns])
    assert lists.fed(program, [x], ((BATCH, columns),))[0] is x


def test_validation_sees_what_its_array_holds_each_time() -> None:
    x, other = multi_hot(256), multi_hot(256, seed=5)
    held, y = x.copy(), x[:, :1]
    model = refnet_fast.Sequential([refnet_fast.Input((COLUMNS,)), layers.Dense(1)])
    model.compile(refnet_fast.optimizers.SGD(0.0), "mse")
    change = refnet_fast.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: np.copyto(held, other if epoch % 2 else x)
    )
    with refnet_fast.use_engine("cpu"):
        told = {"validation_data": (held, y), "epochs": 3, "callbacks": [change], "verbose": 0}
        first, second, third = model.fit(x, y, **told).history["val_loss"]
    assert first == third != second


@pytest.mark.parametrize("odd", [np.asfortranarray, lambda x: x.astype(">f4")])
@pytest.mark.parametrize("several", [list, Arrays])
def test_arrays_in_a_list_are_read_each_time(odd: Any, several: Any) -> None:
    """They may be converted, and that be kept, for as long as a call of `fit` uses them; those of another call are others."""
    given, products = odd(np.ones((BATCH, COLUMNS), "float32") * 2), Products(*drawn())
    y, gradient = np.zeros((BATCH, UNITS), "float32"), np.zeros((COLUMNS, UNITS), "float32")
    data = several([given])
    seen = []
    for value in (2, 4):
        given[:] = value
        data = several([given]) if several is Arrays else data
        products.step.run_batches(data, None, BATCH, 0, 1, [y, gradient])
        seen.append(y.copy())
    assert np.array_equal(seen[0] * 2, seen[1]) and seen[0].any()
