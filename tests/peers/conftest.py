"""What comparisons share. Each is on the reference engine, whatever else the process has imported; a test may ask for another."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from refnet import use_engine
from refnet.testing.closeness import close
from refnet.testing.conformance import agree


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with use_engine("reference"):
        yield


@pytest.fixture(scope="module")
def keras() -> Any:
    import keras as installed

    return installed


def leaves(value: Any) -> list[Any]:
    return [leaf for part in value for leaf in leaves(part)] if isinstance(value, (list, tuple)) else [value]


def tensors(keras: Any, value: Any) -> Any:
    if isinstance(value, list):
        return [tensors(keras, part) for part in value]
    return keras.ops.convert_to_tensor(value) if isinstance(value, np.ndarray) else value


@pytest.fixture
def compared(keras: Any) -> Callable[..., None]:
    """Equal outputs from equal weights; our layer comes back from its config, and from Keras's.

    `roundings` is for layers whose outputs are numbers of size 1 of which a comparison with 0 is rounding's to decide: as many are
    allowed for. Other outputs hold their certificates.
    """

    def check(their: Any, own: Any, args: Any, more: dict[str, Any], roundings: float | None = None) -> None:
        given = {word: tensors(keras, value) for word, value in more.items()}
        expected = [keras.ops.convert_to_numpy(y) for y in leaves(their(*[tensors(keras, a) for a in args], **given))]
        own(*args, **more)
        weights = [np.asarray(keras.ops.convert_to_numpy(w)) for w in their.weights]
        assert [w.path.split("/")[-1] for w in their.weights] == [v.name.split("/")[-1] for v in own.weights]
        own.set_weights(weights)
        got = leaves(own(*args, **more))
        if roundings is None:
            agree(lambda *args, **more: leaves(own(*args, **more)), expected, *args, **more)
        else:
            for a, b in zip(got, expected, strict=True):
                close(a, b, roundings, max(1, abs(b).max()))
        for config in (own.get_config(), their.get_config()):
            again = type(own).from_config(config)
            again(*args, **more)
            again.set_weights(weights)
            for a, b in zip(leaves(again(*args, **more)), got, strict=True):
                np.testing.assert_array_equal(a, b)

    return check
