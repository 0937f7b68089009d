"""Second edition, chapter 11, third, chapter 15: from a sequence to another one, by GRUs and by a Transformer; greedy answers."""

import re
import string

import keras
import numpy as np
from keras import layers, ops

sentences = [
    "i go home",
    "you see me",
    "he is here now",
    "we are there",
    "they go",
    "i am",
    "see me go home",
    "you are",
]
pairs = [(text, "[start] " + " ".join(reversed(text.split())) + " [end]") for text in sentences]
strip = re.escape(string.punctuation.replace("[", "").replace("]", ""))


def standardize(texts):
    return [re.sub(f"[{strip}]", "", text.lower()) for text in texts]


tokens, length, width = 24, 6, 4
source_of = layers.TextVectorization(tokens, output_mode="int", output_sequence_length=length)
target_of = layers.TextVectorization(
    tokens, output_mode="int", output_sequence_length=length + 1, standardize=standardize
)
source_of.adapt([pair[0] for pair in pairs])
target_of.adapt([pair[1] for pair in pairs])
vocabulary = target_of.get_vocabulary()
assert {"[start]", "[end]"} < set(vocabulary)
english, answers = source_of(sentences), target_of([pair[1] for pair in pairs])
x, y = {"english": english, "answer": answers[:, :-1]}, answers[:, 1:]
there = y != 0

source = keras.Input(shape=(None,), dtype="int64", name="english")
encoded = layers.Bidirectional(layers.GRU(6), merge_mode="sum")(layers.Embedding(tokens, width, mask_zero=True)(source))
past = keras.Input(shape=(None,), dtype="int64", name="answer")
hidden = layers.Embedding(tokens, width, mask_zero=True)(past)
hidden = layers.GRU(6, return_sequences=True)(hidden, initial_state=encoded)
following = layers.Dense(tokens, activation="softmax")(layers.Dropout(0.5)(hidden))
recurrent = keras.Model([source, past], following)
recurrent.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
recurrent.fit(x, y, sample_weight=there, epochs=1, verbose=0)


class PositionalEmbedding(layers.Layer):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = layers.Embedding(tokens, width), layers.Embedding(length + 1, width)

    def call(self, inputs):
        return self.tokens(inputs) + self.positions(ops.cumsum(ops.ones_like(inputs), axis=-1) - 1)


class Encoder(layers.Layer):
    def __init__(self):
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, width)
        self.wide, self.narrow = layers.Dense(8, activation="relu"), layers.Dense(width)
        self.norms = [layers.LayerNormalization() for _ in range(2)]

    def call(self, source, source_mask):
        x = self.attention(query=source, key=source, value=source, attention_mask=source_mask[:, None, :])
        x = self.norms[0](x + source)
        return self.norms[1](self.narrow(self.wide(x)) + x)


class Decoder(layers.Layer):
    def __init__(self):
        super().__init__()
        self.own, self.cross = layers.MultiHeadAttention(2, width), layers.MultiHeadAttention(2, width)
        self.wide, self.narrow = layers.Dense(8, activation="relu"), layers.Dense(width)
        self.norms = [layers.LayerNormalization() for _ in range(3)]

    def call(self, target, source, source_mask):
        x = self.norms[0](target + self.own(query=target, key=target, value=target, use_causal_mask=True))
        mask = source_mask[:, None, :]
        x = self.norms[1](x + self.cross(query=x, key=source, value=source, attention_mask=mask))
        return self.norms[2](self.narrow(self.wide(x)) + x)


source = keras.Input(shape=(None,), dtype="int32", name="english")
target = keras.Input(shape=(None,), dtype="int32", name="answer")
encoded = Encoder()(source=PositionalEmbedding()(source), source_mask=source != 0)
decoded = Decoder()(target=PositionalEmbedding()(target), source=encoded, source_mask=source != 0)
transformer = keras.Model([source, target], layers.Dense(tokens, activation="softmax")(layers.Dropout(0.1)(decoded)))
transformer.compile(keras.optimizers.Adam(0.03), "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
transformer.summary()
history = transformer.fit(x, y, sample_weight=there, epochs=12, batch_size=4, verbose=0).history
assert history["loss"][-1] < 0.8 * history["loss"][0]
chances = transformer.predict(x, verbose=0)
right = (chances.argmax(-1) == y)[there].mean()
assert abs(transformer.evaluate(x, y, sample_weight=there, verbose=0)[1] - right) < 1e-6
earlier = transformer.predict({"english": english, "answer": answers[:, :3]}, verbose=0)
assert np.allclose(earlier, chances[:, :3], atol=1e-6)  # what comes later is not seen
longer = np.pad(english, [(0, 0), (0, 1)])
assert np.allclose(transformer.predict([longer, answers[:, :-1]], verbose=0), chances, atol=1e-6)


def translated(model, sentence):
    given, said = source_of([sentence]), "[start]"
    for i in range(length):
        chances = model.predict([given, target_of([said])[:, :-1]], verbose=0)
        said += " " + vocabulary[int(np.argmax(chances[0, i]))]
        if said.endswith("[end]"):
            break
    return said


assert translated(recurrent, "i go home").startswith("[start] ") and translated(transformer, "i am").startswith(
    "[start] "
)
