"""Data sets made of data sets, by the methods of tf.data."""

from typing import Any

import numpy as np
import pytest

from refnet import Sequential, layers, optimizers, utils
from refnet.errors import ArgumentError, DataError, MissingNameError
from refnet.utils.dataset_utils import ArrayDataset


def rows(dataset: Any) -> list[Any]:
    """The elements of a data set of numbers, in lists."""
    return [np.asarray(element).tolist() for element in dataset]


def singles(count: int = 7) -> ArrayDataset:
    return ArrayDataset(np.arange(count), batch_size=None)


def test_methods_give_data_sets_that_read_the_one_before() -> None:
    chained = singles().map(lambda x: x * 10).batch(3)
    assert rows(chained) == [[0, 10, 20], [30, 40, 50], [60]] and len(chained) == 3
    assert rows(chained.take(2)) == rows(chained)[:2] and rows(chained.skip(2)) == [[60]]
    assert rows(chained.take(-1)) == rows(chained.take(9)) == rows(chained) and rows(chained.skip(9)) == []
    assert rows(singles().batch(3, drop_remainder=True)) == [[0, 1, 2], [3, 4, 5]]
    assert chained.prefetch(2) is chained and rows(chained.as_numpy_iterator()) == rows(chained)
    assert chained[-1].tolist() == [60]
    with pytest.raises(IndexError, match="there is no batch 3: the data set has 3"):
        chained[3]


def test_a_tuple_is_handed_to_the_function_in_parts() -> None:
    pairs = ArrayDataset((np.arange(4.0), {"a": np.arange(4)}), batch_size=2)
    changed = pairs.map(lambda x, y: (x + 1, y["a"]), num_parallel_calls=4)
    assert [[part.tolist() for part in element] for element in changed] == [[[1, 2], [0, 1]], [[3, 4], [2, 3]]]
    named = ArrayDataset({"a": np.arange(2)}, batch_size=None).map(lambda element: element["a"] + 1)
    assert rows(named) == [1, 2]


def test_strings_and_structures_become_batches() -> None:
    words = ArrayDataset((np.array(["a", "bcd", "e"], object), np.arange(3)), batch_size=None).batch(2)
    (first, numbers), (last, _) = list(words)
    assert first.tolist() == ["a", "bcd"] and first.dtype == object and numbers.tolist() == [0, 1]
    assert last.tolist() == ["e"]
    ragged = singles().map(lambda x: np.zeros(x)).batch(2)
    with pytest.raises(DataError, match=r"batch: elements of shapes \[\(0,\), \(1,\)\] cannot be rows of one array"):
        ragged[0]


def test_each_epoch_has_its_own_order() -> None:
    shuffled = singles(50).shuffle(1000, seed=3)
    first = rows(shuffled)
    assert first == rows(shuffled) != list(range(50)) and sorted(first) == list(range(50))
    shuffled.on_epoch_end()
    assert rows(shuffled) != first
    fixed = singles(50).shuffle(seed=3, reshuffle_each_iteration=False)
    assert rows(fixed) == first
    fixed.on_epoch_end()
    assert rows(fixed) == first


def test_turns_of_a_repeated_data_set_are_epochs() -> None:
    twice = singles(50).shuffle(seed=3).repeat(2)
    found = rows(twice)
    assert (
        len(twice) == 100 and found[:50] != found[50:] and sorted(found[:50]) == sorted(found[50:]) == list(range(50))
    )
    endless = singles(3).repeat()
    assert endless.num_batches is None and rows(endless.take(5)) == [0, 1, 2, 0, 1]
    assert rows(endless.skip(1).batch(2).take(2)) == [[1, 2], [0, 1]]
    with pytest.raises(TypeError, match="repeated without end has no length"):
        len(endless)


def test_another_pass_over_a_repeated_data_set_has_orders_of_its_own() -> None:
    def pass_of(dataset: Any, steps: int) -> list[Any]:
        return [part.tolist() for part in dataset.iterate(range(steps))]

    for dataset, steps in ((singles(50).shuffle(seed=3).repeat(2), 2), (singles(50).shuffle(seed=3).repeat(), 2)):
        passes = [
            pass_of(dataset.batch(50), steps) for _ in range(3)
        ]  # as fits, one after the other, begin at the first batch
        orders = [order for found in passes for order in found]
        assert len({tuple(order) for order in orders}) == 6
        assert all(sorted(order) == list(range(50)) for order in orders)


def test_an_end_of_an_epoch_within_a_turn_does_not_mix_it() -> None:
    endless = singles(6).shuffle(seed=1).repeat().batch(2)
    parts = endless.iterate(range(6))
    found = []
    for part in parts:
        found += part.tolist()
        endless.on_epoch_end()  # fit's, whose epochs have one step here
    assert sorted(found[:6]) == sorted(found[6:]) == list(range(6))


def test_what_is_cached_is_made_once_and_keeps_its_order() -> None:
    made: list[int] = []
    cached = singles(20).shuffle(seed=1).map(lambda x: made.append(int(x)) or np.full(2, x)).cache()  # type: ignore[func-returns-value]
    first = rows(cached)
    cached.on_epoch_end()
    cached[0][:] = -1  # a copy
    assert rows(cached) == first and len(made) == 20
    again = cached.shuffle(seed=2)
    assert sorted(rows(again)) == sorted(first) and len(made) == 20


@pytest.mark.parametrize("chained", ["map", "map batch", "cache", "shuffle", "repeat", "take"])
def test_fit_reads_them(chained: str) -> None:
    x, y = np.arange(12, dtype="float32").reshape(6, 2), np.ones((6, 1), "float32")
    dataset: Any = ArrayDataset((x, y), batch_size=None if "batch" in chained else 2)
    if "map" in chained:
        scale = layers.Rescaling(0.5)
        dataset, x = dataset.map(lambda a, b: (scale(a), b)), x / 2
    dataset = {
        "map": lambda: dataset,
        "map batch": lambda: dataset.batch(2),
        "cache": dataset.cache,
        "shuffle": lambda: dataset.shuffle(9).map(lambda a, b: (a * 0 + x[:2], b)),
        "repeat": dataset.repeat,
        "take": lambda: dataset.take(2),
    }[chained]()
    model = Sequential([layers.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(optimizers.SGD(0.0), "mse")
    steps = 3 if chained == "repeat" else None
    seen = {"take": x[:4], "shuffle": x[:2]}.get(chained, x)
    wanted = np.mean((seen.sum(1) - 1) ** 2)
    history = model.fit(dataset, epochs=2, steps_per_epoch=steps, verbose=0).history
    assert history["loss"] == [wanted] * 2  # whole numbers and halves: no sum rounds
    assert model.evaluate(dataset, steps=steps, verbose=0) == wanted


def test_texts_of_folders_are_vectorized_on_the_way(tmp_path: Any) -> None:
    for name, text in (("bad", "dull film"), ("good", "fine film")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.txt").write_text(text, encoding="utf-8")
    texts = utils.text_dataset_from_directory(tmp_path, batch_size=2, shuffle=False, verbose=False)
    vectorize = layers.TextVectorization(output_mode="multi_hot")
    vectorize.adapt(texts.map(lambda x, y: x))
    assert vectorize.get_vocabulary() == ["[UNK]", "film", "fine", "dull"]
    ((x, y),) = list(texts.map(lambda x, y: (vectorize(x), y)))
    assert np.asarray(x).tolist() == [[0, 1, 0, 1], [0, 1, 1, 0]] and y.tolist() == [0, 1]
    parts = utils.timeseries_dataset_from_array(np.arange(5), None, 3, batch_size=None).batch(2)
    assert rows(parts) == [[[0, 1, 2], [1, 2, 3]], [[2, 3, 4]]]


def test_what_is_refused() -> None:
    data = singles()
    for wrong, words in (
        (lambda: data.batch(0), "ArrayDataset.batch: batch_size is an integer of at least 1; got 0"),
        (lambda: data.take(1.5), "ArrayDataset.take: count is an integer of at least -1; got 1.5"),
        (lambda: data.map(3), "ArrayDataset.map takes a function of an element; got 3"),
        (lambda: data.repeat().shuffle(3), "Repeated.shuffle: the data set has no end. Call shuffle before repeat"),
        (lambda: data.repeat().repeat(), "Repeated.repeat: a data set of a known length"),
    ):
        with pytest.raises(ArgumentError, match=words):
            wrong()
    with pytest.raises(MissingNameError, match="ArrayDataset.unbatch: a data set of refnet is none of tf.data"):
        data.unbatch()
    with pytest.raises(AttributeError, match="'Mapped' object has no attribute 'nothing'"):
        data.map(abs).nothing  # noqa: B018  # what this is about
    with pytest.raises(ZeroDivisionError) as caught:
        data.map(lambda x: 1 / 0)[0]
    assert "in the function given to map" in caught.value.__notes__[0]
