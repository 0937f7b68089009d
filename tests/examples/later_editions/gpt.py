"""Third edition, chapters 15 and 16: a small GPT, the rate of which warms up, and ways to choose the next token."""

from functools import partial

import keras
import numpy as np
from keras import layers, ops

tokens, length, width = 9, 6, 4


class TransformerDecoder(keras.Layer):
    def __init__(self, hidden_dim, intermediate_dim, num_heads):
        super().__init__()
        self.attention = layers.MultiHeadAttention(num_heads, hidden_dim // num_heads, dropout=0.1)
        self.first_norm, self.second_norm = layers.LayerNormalization(), layers.LayerNormalization()
        self.wide, self.narrow = layers.Dense(intermediate_dim, activation="relu"), layers.Dense(hidden_dim)
        self.dropout = layers.Dropout(0.1)

    def call(self, inputs):
        x = self.dropout(self.attention(query=inputs, key=inputs, value=inputs, use_causal_mask=True))
        x = self.first_norm(x + inputs)
        return self.second_norm(self.dropout(self.narrow(self.wide(x))) + x)


class PositionalEmbedding(keras.Layer):
    def __init__(self, sequence_length, input_dim, output_dim):
        super().__init__()
        self.tokens = layers.Embedding(input_dim, output_dim)
        self.positions = layers.Embedding(sequence_length, output_dim)

    def call(self, inputs, reverse=False):
        if reverse:
            return ops.matmul(inputs, ops.transpose(self.tokens.embeddings))
        return self.tokens(inputs) + self.positions(ops.cumsum(ops.ones_like(inputs), axis=-1) - 1)


class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self):
        self.rate, self.steps = 5e-2, 4.0

    def __call__(self, step):
        return self.rate * ops.minimum(ops.cast(step, dtype="float32") / self.steps, 1.0)


inputs = keras.Input(shape=(None,), dtype="int32", name="inputs")
embedding = PositionalEmbedding(length, tokens, width)
x = layers.LayerNormalization()(embedding(inputs))
for _ in range(2):
    x = TransformerDecoder(width, 8, 2)(x)
gpt = keras.Model(inputs, embedding(x, reverse=True))
gpt.compile(
    optimizer=keras.optimizers.Adam(Warmup()),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
assert (
    len({w.path for w in gpt.trainable_weights}) == len(gpt.trainable_weights) == 2 + 2 + 2 * 16
)  # one embedding, tied
turns = np.arange(tokens)[:, None] + np.arange(length + 1)
data = 1 + turns % (tokens - 1)  # each token says which is next


def batches():
    while True:
        for i in range(0, tokens, 3):
            yield data[i : i + 3, :-1], data[i : i + 3, 1:]


history = gpt.fit(batches(), epochs=4, steps_per_epoch=6, validation_data=batches(), validation_steps=3, verbose=0)
assert history.history["val_loss"][-1] < 0.8 * history.history["val_loss"][0]
assert abs(float(gpt.optimizer.learning_rate) - 5e-2) < 1e-8
logits = gpt.predict(data[:2, :-1], verbose=0)
assert np.allclose(gpt.predict(data[:2, :4], verbose=0), logits[:, :4], atol=1e-5)


def generate(prompt, count):
    found = list(prompt)
    for _ in range(count - len(prompt)):
        prediction = gpt(ops.convert_to_numpy([found]))
        found.append(int(np.argmax(ops.convert_to_numpy(prediction[0, -1]))))
    return found


def compiled_generate(prompt, count, sample):
    found = [*prompt, *[0] * (count - len(prompt))]
    for i in range(len(prompt), count):
        prediction = gpt.predict(np.array([found]), verbose=0)
        found[i] = int(sample(prediction[0, i - 1]))
    return found


def random_sample(predictions, temperature=1.0):
    return keras.random.categorical(predictions[None, :] / temperature, num_samples=1)[0, 0]


def top_k(predictions, k=3, temperature=1.0):
    best, places = ops.top_k(predictions / temperature, k=k, sorted=False)
    return ops.take_along_axis(places, keras.random.categorical(best[None, :], num_samples=1)[0], axis=-1)[0]


def top_p(predictions, p=0.9):
    chances = ops.softmax(predictions)
    order = ops.flip(ops.argsort(chances))
    ordered = ops.take(chances, order)
    kept = ops.where(ops.cumsum(ordered) - ordered < p, ordered, 0.0)
    return ops.take(order, keras.random.categorical(ops.log(kept + 1e-20)[None], 1)[0, 0])


greedy = compiled_generate([3, 4], length, ops.argmax)
assert greedy == generate([3, 4], length)
assert compiled_generate([3, 4], length, partial(top_k, k=1)) == greedy
assert compiled_generate([3, 4], length, partial(top_p, p=1e-6)) == greedy
assert compiled_generate([3, 4], length, partial(random_sample, temperature=1e-4)) == greedy
for sample in (random_sample, top_k, top_p):
    assert set(compiled_generate([3], 5, sample)) <= set(range(tokens))
gpt.save_weights("gpt.weights.h5")
gpt.load_weights("gpt.weights.h5")

tied = layers.ReversibleEmbedding(tokens, width)
inputs = keras.Input(shape=(length,), dtype="int32")
model = keras.Model(inputs, tied(TransformerDecoder(width, 8, 2)(tied(inputs)), reverse=True))
rate = keras.optimizers.schedules.CosineDecay(0.0, 20, warmup_target=1e-2, warmup_steps=5)
optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01, global_clipnorm=1.0)
optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
losses = model.fit(data[:, :-1], data[:, 1:], epochs=3, batch_size=4, verbose=0).history["loss"]
assert losses[-1] < losses[0]
