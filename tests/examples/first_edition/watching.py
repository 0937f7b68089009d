"""Training watched: stopping early, the best model in a file, a rate that falls, activations of the validation data, a picture."""

import os

import keras
import numpy as np
from keras import layers
from keras.utils import plot_model

draws = np.random.RandomState(0)
x_train, x_val = draws.randint(1, 30, size=(40, 9)), draws.randint(1, 30, size=(12, 9))
y_train, y_val = (x_train > 15).sum(1) > 4, (x_val > 15).sum(1) > 4
y_train, y_val = y_train.astype("float32"), y_val.astype("float32")


def reader():
    model = keras.models.Sequential()
    model.add(layers.Embedding(30, 4, input_length=9, name="embed"))
    model.add(layers.Conv1D(4, 3, activation="relu"))
    model.add(layers.MaxPooling1D(2))
    model.add(layers.GlobalMaxPooling1D())
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer=keras.optimizers.RMSprop(lr=0.02), loss="binary_crossentropy", metrics=["acc"])
    return model


model = reader()
callbacks_list = [
    keras.callbacks.EarlyStopping(monitor="acc", patience=1),
    keras.callbacks.ModelCheckpoint(filepath="my_model.h5", monitor="val_loss", save_best_only=True),
]
history = model.fit(
    x_train, y_train, epochs=40, batch_size=8, callbacks=callbacks_list, validation_data=(x_val, y_val), verbose=0
)
acc = history.history["acc"]
assert len(acc) < 40 and acc[-1] <= acc[-2] == max(acc)
best = keras.models.load_model("my_model.h5")
assert np.isclose(best.evaluate(x_val, y_val, verbose=0)[0], min(history.history["val_loss"]), rtol=1e-4)

model = reader()
callbacks_list = [keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.1, patience=1, min_delta=10)]
model.fit(x_train, y_train, epochs=4, batch_size=8, callbacks=callbacks_list, validation_data=(x_val, y_val), verbose=0)
assert np.isclose(keras.backend.get_value(model.optimizer.lr), 0.02 * 0.1**3, rtol=1e-4)


class ActivationLogger(keras.callbacks.Callback):
    def set_model(self, model):
        self.model = model
        layer_outputs = [layer.output for layer in model.layers]
        self.activations_model = keras.models.Model(model.input, layer_outputs)

    def on_epoch_end(self, epoch, logs=None):
        if self.validation_data is None:
            raise RuntimeError("Requires validation_data.")
        validation_sample = self.validation_data[0][0:1]
        activations = self.activations_model.predict(validation_sample, verbose=0)
        with open("activations_at_epoch_" + str(epoch) + ".npz", "wb") as f:
            np.savez(f, *activations)


class LossHistory(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.losses = []

    def on_batch_end(self, batch, logs=None):
        self.losses.append(logs.get("loss"))


losses = LossHistory()
model = reader()
model.fit(
    x_train,
    y_train,
    epochs=2,
    batch_size=8,
    callbacks=[ActivationLogger(), losses],
    validation_data=(x_val, y_val),
    verbose=0,
)
kept = np.load("activations_at_epoch_1.npz")
assert len(kept.files) == len(model.layers) and kept["arr_0"].shape == (1, 9, 4)
assert np.array_equal(kept["arr_4"], model.predict(x_val[:1], verbose=0))
assert len(losses.losses) == 10 and np.isfinite(losses.losses).all()
try:
    model.fit(x_train, y_train, callbacks=[ActivationLogger()], verbose=0)
except RuntimeError as error:
    assert "validation_data" in str(error)
else:
    raise AssertionError("validation data out of nowhere")

plot_model(model, to_file="model.png")
plot_model(model, show_shapes=True, to_file="model_with_shapes.png")
assert os.path.getsize("model_with_shapes.png") > os.path.getsize("model.png") > 1000
