"""Second edition, chapter 11, third, chapter 14: texts as bags of words, as bigrams, and as sequences; an encoder of one's own."""

import pathlib
import re

import keras
import numpy as np
from keras import layers, ops

draw = np.random.default_rng(0)
words = {"neg": ["awful", "bad", "dull", "poor"], "pos": ["fine", "good", "great", "lovely"]}
for part in ("train", "val"):
    for label, known in words.items():
        folder = pathlib.Path("texts", part, label)
        folder.mkdir(parents=True)
        for i in range(8):
            text = " ".join([*draw.choice(known, 3), "film", *draw.choice(known, 2)]) + "!<br />"
            (folder / f"{i}.txt").write_text(text, encoding="utf-8")

train = keras.utils.text_dataset_from_directory("texts/train", batch_size=4, seed=2)
validation = keras.utils.text_dataset_from_directory("texts/val", batch_size=4, shuffle=False)
text_only = train.map(lambda x, y: x)


def standardize(texts):
    return [re.sub(r"[^a-z ]", "", text.lower().replace("<br />", " ")) for text in texts]


def classifier(inputs, x):
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    model.compile(optimizer=keras.optimizers.RMSprop(0.02), loss="binary_crossentropy", metrics=["accuracy"])
    return model


for told in (
    {"output_mode": "multi_hot"},
    {"output_mode": "multi_hot", "ngrams": 2},
    {"output_mode": "count", "ngrams": 2},
    {"output_mode": "tf_idf", "ngrams": 2},
):
    vectorize = layers.TextVectorization(max_tokens=40, standardize=standardize, **told)
    vectorize.adapt(text_only)
    size = len(vectorize.get_vocabulary())
    counted = train.map(lambda x, y, by=vectorize: (by(x), y), num_parallel_calls=4)
    tested = validation.map(lambda x, y, by=vectorize: (by(x), y), num_parallel_calls=4)
    inputs = keras.Input(shape=(size,))
    model = classifier(inputs, layers.Dropout(0.5)(layers.Dense(4, activation="relu")(inputs)))
    model.fit(counted.cache(), validation_data=tested.cache(), epochs=6, verbose=0)
    assert model.evaluate(tested, verbose=0)[1] > 0.7
    (answer,) = model(vectorize(["a fine, good, lovely film"]))
    assert answer.shape == (1,)

length, tokens, width = 6, 20, 4
numbers = layers.TextVectorization(tokens, standardize=standardize, output_mode="int", output_sequence_length=length)
numbers.adapt(text_only)
train = train.map(lambda x, y: (numbers(x), y))
validation = validation.map(lambda x, y: (numbers(x), y))

inputs = keras.Input(shape=(None,), dtype="int64")
x = layers.Embedding(input_dim=tokens, output_dim=width, mask_zero=True)(inputs)
model = classifier(inputs, layers.Bidirectional(layers.LSTM(4))(x))
model.fit(train, validation_data=validation, epochs=1, verbose=0)
vectors = layers.Embedding(
    tokens, 3, embeddings_initializer=keras.initializers.Constant(np.eye(tokens, 3)), trainable=False
)
assert vectors(np.array([[1, 2]]))[0].tolist() == [[0, 1, 0], [0, 0, 1]]


class TransformerEncoder(layers.Layer):
    def __init__(self, embed_dim, dense_dim, num_heads, **kwargs):
        super().__init__(**kwargs)
        self.embed_dim, self.dense_dim, self.num_heads = embed_dim, dense_dim, num_heads
        self.attention = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.project = keras.Sequential([layers.Dense(dense_dim, activation="relu"), layers.Dense(embed_dim)])
        self.first_norm, self.second_norm = layers.LayerNormalization(), layers.LayerNormalization()

    def call(self, inputs, mask=None):
        if mask is not None:
            mask = mask[:, None, :]
        x = self.first_norm(inputs + self.attention(inputs, inputs, attention_mask=mask))
        return self.second_norm(x + self.project(x))

    def get_config(self):
        config = super().get_config()
        config.update({"embed_dim": self.embed_dim, "dense_dim": self.dense_dim, "num_heads": self.num_heads})
        return config


class PositionalEmbedding(layers.Layer):
    def __init__(self, sequence_length, input_dim, output_dim, **kwargs):
        super().__init__(**kwargs)
        self.told = {"sequence_length": sequence_length, "input_dim": input_dim, "output_dim": output_dim}
        self.tokens = layers.Embedding(input_dim, output_dim)
        self.positions = layers.Embedding(sequence_length, output_dim)

    def call(self, inputs):
        return self.tokens(inputs) + self.positions(ops.arange(0, ops.shape(inputs)[-1], 1))

    def compute_mask(self, inputs, mask=None):
        return ops.not_equal(inputs, 0)

    def get_config(self):
        return {**super().get_config(), **self.told}


own = {"TransformerEncoder": TransformerEncoder, "PositionalEmbedding": PositionalEmbedding}
inputs = keras.Input(shape=(None,), dtype="int64")
x = TransformerEncoder(width, 6, 2)(PositionalEmbedding(length, tokens, width)(inputs))
model = classifier(inputs, layers.Dropout(0.5)(layers.GlobalMaxPooling1D()(x)))
kept = keras.callbacks.ModelCheckpoint("encoder.keras", save_best_only=True)
model.fit(train, validation_data=validation, epochs=1, callbacks=[kept], verbose=0)
again = keras.models.load_model("encoder.keras", custom_objects=own)
assert again.evaluate(validation, verbose=0) == model.evaluate(validation, verbose=0)
padded = np.array([[2, 3, 4, 0, 0]])
seen, short = (again.layers[2](again.layers[1](x)) for x in (padded, padded[:, :3]))
assert again.layers[1].compute_mask(padded).tolist() == [[True] * 3 + [False] * 2]
inner = keras.Model(again.inputs, again.layers[2].output)
assert np.allclose(inner(padded)[:, :3], inner(padded[:, :3]), atol=1e-6)  # what is padded is not seen
assert not np.allclose(seen[:, :3], short, atol=1e-6)  # arrays carry no mask
