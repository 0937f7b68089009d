"""Graphs of layers: a functional twin of a stack, drawn and empty target rows, lists and dicts, shared layers and models."""

import keras
import numpy as np
from keras import Input, layers
from keras.models import Model, Sequential

stack = Sequential()
stack.add(layers.Dense(5, activation="relu", input_shape=(6,)))
stack.add(layers.Dense(4, activation="relu"))
stack.add(layers.Dense(3, activation="softmax"))
input_tensor = Input(shape=(6,))
x = layers.Dense(5, activation="relu")(input_tensor)
x = layers.Dense(4, activation="relu")(x)
output_tensor = layers.Dense(3, activation="softmax")(x)
model = Model(input_tensor, output_tensor)
model.summary()
model.set_weights(stack.get_weights())

try:
    Model(Input(shape=(5,)), output_tensor)
except ValueError as error:
    assert "disconnected" in str(error)
else:
    raise AssertionError("outputs without their input")

draws = np.random.RandomState(0)
x_train, y_train = draws.random_sample((40, 6)), draws.random_sample((40, 3))
assert np.array_equal(stack.predict(x_train, verbose=0), model.predict(x_train, verbose=0))
model.compile(optimizer="rmsprop", loss="categorical_crossentropy")
history = model.fit(x_train, y_train, epochs=6, batch_size=8, verbose=0)
assert history.history["loss"][-1] < history.history["loss"][0]
score = model.evaluate(x_train, y_train, verbose=0)
expected = -np.mean(np.sum(y_train * np.log(model.predict(x_train, verbose=0)), axis=1))
assert np.isscalar(score) and np.isclose(score, expected, rtol=1e-4)

words, kinds = 15, 4
text_input = Input(shape=(None,), dtype="int32", name="text")
encoded_text = layers.LSTM(3)(layers.Embedding(words, 4)(text_input))
question_input = Input(shape=(None,), dtype="int32", name="question")
encoded_question = layers.LSTM(2)(layers.Embedding(words, 3)(question_input))
concatenated = layers.concatenate([encoded_text, encoded_question], axis=-1)
answer = layers.Dense(kinds, activation="softmax")(concatenated)
model = Model([text_input, question_input], answer)
model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["acc"])
text, question = draws.randint(1, words, size=(9, 5)), draws.randint(1, words, size=(9, 3))
nothing = draws.randint(0, 1, size=(9, kinds))  # rows of zeros: no loss, and no gradient
before = model.get_weights()
history = model.fit([text, question], nothing, epochs=1, batch_size=4, verbose=0)
assert history.history["loss"] == [0.0]
assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
answers = keras.utils.to_categorical(draws.randint(kinds, size=9), kinds)
history = model.fit({"text": text, "question": question}, answers, epochs=3, batch_size=4, verbose=0)
assert history.history["loss"][-1] < history.history["loss"][0] and "acc" in history.history
as_list = model.predict([text, question], verbose=0)
assert np.array_equal(as_list, model.predict({"text": text, "question": question}, verbose=0))

posts_input = Input(shape=(None,), dtype="int32", name="posts")
x = layers.Embedding(words, 4)(posts_input)
x = layers.Conv1D(4, 2, activation="relu")(x)
x = layers.MaxPooling1D(2)(x)
x = layers.Conv1D(4, 2, activation="relu")(x)
x = layers.GlobalMaxPooling1D()(x)
age_prediction = layers.Dense(1, name="age")(x)
income_prediction = layers.Dense(kinds, activation="softmax", name="income")(x)
gender_prediction = layers.Dense(1, activation="sigmoid", name="gender")(x)
model = Model(posts_input, [age_prediction, income_prediction, gender_prediction])
posts = draws.randint(1, words, size=(8, 9))
targets = [draws.randint(20, 60, size=8), answers[:8], draws.randint(0, 2, size=8)]
named = dict(zip(["age", "income", "gender"], targets))
losses = ["mse", "categorical_crossentropy", "binary_crossentropy"]
shares = [0.25, 1.0, 10.0]
start = model.get_weights()
seen = []
for loss, loss_weights, y in (
    (losses, shares, targets),
    (dict(zip(named, losses)), dict(zip(named, shares)), named),
):
    model.set_weights(start)
    model.compile(optimizer="rmsprop", loss=loss, loss_weights=loss_weights)
    seen.append(model.fit(posts, y, epochs=2, batch_size=64, verbose=0).history)
for name, values in seen[0].items():
    assert np.allclose(values, seen[1][name])
parts = [seen[0][f"{name}_loss"][0] for name in named]
assert np.isclose(seen[0]["loss"][0], sum(share * part for share, part in zip(shares, parts)), rtol=1e-4)

picture = Input(shape=(6, 6, 4))
y = layers.Conv2D(4, 3, activation="relu", padding="same")(picture)
y = layers.Conv2D(4, 3, activation="relu", padding="same")(y)
y = layers.add([y, picture])
assert y.shape == (None, 6, 6, 4)
y = layers.MaxPooling2D(2, strides=2)(layers.Conv2D(4, 3, activation="relu", padding="same")(picture))
y = layers.add([y, layers.Conv2D(4, 1, strides=2, padding="same")(picture)])
assert y.shape == (None, 3, 3, 4)

base = Sequential([layers.Conv2D(3, 3, activation="relu", input_shape=(None, None, 3))])
left_input, right_input = Input(shape=(7, 7, 3)), Input(shape=(7, 7, 3))
left_features, right_features = base(left_input), base(right_input)
merged_features = layers.concatenate([left_features, right_features], axis=-1)
eyes = Model([left_input, right_input], merged_features)
assert len(eyes.trainable_weights) == 2 and eyes.output_shape == (None, 5, 5, 6)
left, right = draws.random_sample((2, 1, 7, 7, 3))
both = eyes.predict([left, right], verbose=0)
assert np.allclose(both[..., 3:], base.predict(right, verbose=0), atol=1e-6)
