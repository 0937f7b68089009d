"""Second edition, chapter 7: several inputs and outputs, a subclass for the same, a metric and a callback of one's own."""

import keras
import numpy as np
from keras import layers, ops

words, labels, departments, count = 12, 5, 3, 24
draw = np.random.default_rng(0)
titles, bodies = draw.integers(0, 2, (count, words)), draw.integers(0, 2, (count, words))
tags = draw.integers(0, 2, (count, labels))
priorities, places = draw.random((count, 1)), np.eye(departments)[tags[:, :3].argmax(1)]

title = keras.Input(shape=(words,), name="title")
body = keras.Input(shape=(words,), name="body")
tag = keras.Input(shape=(labels,), name="tags")
features = layers.Concatenate()([title, body, tag])
features = layers.Dense(8, activation="relu", name="features")(features)
priority = layers.Dense(1, activation="sigmoid", name="priority")(features)
department = layers.Dense(departments, activation="softmax", name="department")(features)
model = keras.Model(inputs=[title, body, tag], outputs=[priority, department])
model.compile(
    optimizer=keras.optimizers.RMSprop(0.02),
    loss=["mean_squared_error", "categorical_crossentropy"],
    metrics=[["mean_absolute_error"], ["accuracy"]],
)
history = model.fit([titles, bodies, tags], [priorities, places], epochs=4, verbose=0).history
assert history["loss"][-1] < history["loss"][0]
assert {"priority_loss", "department_loss", "priority_mean_absolute_error", "department_accuracy"} < set(history)

model.compile(
    optimizer="rmsprop",
    loss={"priority": "mean_squared_error", "department": "categorical_crossentropy"},
    metrics={"priority": ["mean_absolute_error"], "department": ["accuracy"]},
)
named = {"title": titles, "body": bodies, "tags": tags}
model.fit(named, {"priority": priorities, "department": places}, epochs=1, verbose=0)
scores, choices = model.predict(named, verbose=0)
assert scores.shape == (count, 1) and np.allclose(choices.sum(1), 1, atol=1e-6)
model.summary()

difficulty = layers.Dense(3, activation="softmax", name="difficulty")(model.layers[4].output)
wider = keras.Model(inputs=[title, body, tag], outputs=[priority, department, difficulty])
assert np.array_equal(wider.predict(named, verbose=0)[0], scores)


class Tickets(keras.Model):
    def __init__(self, count):
        super().__init__()
        self.join, self.mixing = layers.Concatenate(), layers.Dense(8, activation="relu")
        self.priority, self.department = (
            layers.Dense(1, activation="sigmoid"),
            layers.Dense(count, activation="softmax"),
        )

    def call(self, inputs):
        features = self.mixing(self.join([inputs["title"], inputs["body"], inputs["tags"]]))
        return self.priority(features), self.department(features)


class RootMeanSquaredError(keras.metrics.Metric):
    def __init__(self, name="rmse", **kwargs):
        super().__init__(name=name, **kwargs)
        self.squares = self.add_weight(name="squares", initializer="zeros")
        self.samples = self.add_weight(name="samples", initializer="zeros", dtype="int32")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.squares.assign_add(ops.sum(ops.square(y_true - y_pred)))
        self.samples.assign_add(ops.shape(y_pred)[0])

    def result(self):
        return ops.sqrt(self.squares / ops.cast(self.samples, "float32"))

    def reset_state(self):
        self.squares.assign(0.0)
        self.samples.assign(0)


class Losses(keras.callbacks.Callback):
    def on_train_begin(self, logs):
        self.of_batches, self.of_epochs = [], []

    def on_batch_end(self, batch, logs):
        self.of_batches.append(logs.get("loss"))

    def on_epoch_end(self, epoch, logs):
        self.of_epochs.append(self.of_batches)
        self.of_batches = []


subclass, watching = Tickets(departments), Losses()
subclass.compile(
    optimizer="rmsprop",
    loss=["mean_squared_error", "categorical_crossentropy"],
    metrics=[[RootMeanSquaredError()], ["accuracy"]],
)
subclass.fit(named, [priorities, places], batch_size=8, epochs=2, callbacks=[watching], verbose=0)
assert [len(batches) for batches in watching.of_epochs] == [3, 3]
found = subclass.evaluate(named, [priorities, places], verbose=0, return_dict=True)
scores, choices = subclass.predict(named, verbose=0)
assert abs(found["rmse"] - np.sqrt(np.mean((scores - priorities) ** 2))) < 1e-5
assert {"mean_squared_error_loss", "categorical_crossentropy_loss", "accuracy"} < set(found)
