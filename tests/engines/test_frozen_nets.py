"""Fine-tuning on the compiled engine: a net of `refnet.applications` that is frozen, and what is trained on its features."""

import numpy as np

import refnet_fast
from refnet.registration import reading_file
from refnet.testing import close
from refnet_fast import Input, Model, layers, use_engine


def settled(generator, **given):
    """The net, with weights through which numbers keep their size: those of a new net make them vanish where nobody trains it."""
    with reading_file(True, room=2**30):  # nothing is drawn that is replaced
        net = refnet_fast.applications.MobileNetV2(weights=None, include_top=False, alpha=0.35, **given)
    drawn = [generator.standard_normal(w.shape) / np.sqrt(max(np.prod(w.shape[:-1]), 1)) for w in net.weights]
    net.set_weights([1 + 0.1 * abs(v) if v.ndim == 1 else 2 * v for v in drawn])
    return net


def test_a_frozen_net_stays_and_a_layer_on_it_learns_from_its_features():
    """One step of a dense layer on a frozen net is the step of that layer alone, on what the net predicts."""
    generator = np.random.default_rng(5)
    x, y = (
        generator.uniform(-1, 1, (8, 32, 32, 3)).astype("float32"),
        np.arange(8) // 7,
    )  # unequal classes: a clear slope
    with use_engine("cpu"):
        net = settled(generator, input_shape=(32, 32, 3), pooling="avg")
        net.trainable, before = False, net.get_weights()
        features = net.predict(x, verbose=0)
        steps = []
        for first, body, data in ((Input((32, 32, 3)), net, x), (Input((1280,)), None, features)):
            top = layers.Dense(2, kernel_initializer="zeros", activation="softmax")
            model = Model(first, top(body(first, training=False) if body else first))
            model.compile(refnet_fast.optimizers.SGD(1.0), "sparse_categorical_crossentropy")
            assert len(model.trainable_weights) == 2
            model.fit(data, y, batch_size=8, verbose=0)
            steps.append(top.get_weights()[0])
    assert all(np.array_equal(a, b) for a, b in zip(net.get_weights(), before, strict=True))
    assert features.std() > 0.1 and np.abs(steps[1]).max() > 0.1
    # Sixteen roundings in each of the net's layers, twice; then a mean of eight samples' products, of halves and features.
    close(steps[0], steps[1], 2 * 16 * len(net.layers) + 32, features.max())
