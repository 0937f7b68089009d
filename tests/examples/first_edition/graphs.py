"""The functional API: two inputs, three outputs, an inception module, a residual connection, shared weights, callbacks."""

import numpy as np
from keras import Input, callbacks, layers
from keras.applications import Xception
from keras.models import Model, load_model
from keras.utils import to_categorical

draws = np.random.RandomState(0)
text_input = Input(shape=(None,), dtype="int32", name="text")
embedded_text = layers.Embedding(20, 4)(text_input)
encoded_text = layers.LSTM(3)(embedded_text)
question_input = Input(shape=(None,), dtype="int32", name="question")
encoded_question = layers.LSTM(2)(layers.Embedding(20, 4)(question_input))
concatenated = layers.concatenate([encoded_text, encoded_question], axis=-1)
answer = layers.Dense(5, activation="softmax")(concatenated)
model = Model([text_input, question_input], answer)
model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["acc"])
text, question = draws.randint(1, 20, size=(12, 4)), draws.randint(1, 20, size=(12, 3))
answers = to_categorical(draws.randint(0, 5, size=12), 5)


class ActivationLogger(callbacks.Callback):
    def set_model(self, model):
        self.model = model
        self.activations_model = Model(model.input, [layer.output for layer in model.layers])
        self.seen = 0

    def on_epoch_end(self, epoch, logs=None):
        self.seen += len(self.activations_model.predict([text[:1], question[:1]], verbose=0))


logger = ActivationLogger()
callbacks_list = [
    callbacks.EarlyStopping(monitor="acc", patience=1, mode="max"),
    callbacks.ModelCheckpoint(filepath="my_model.h5", monitor="val_loss", save_best_only=True),
    callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.1, patience=10),
    logger,
]
model.fit(
    {"text": text, "question": question},
    answers,
    epochs=2,
    batch_size=6,
    callbacks=callbacks_list,
    validation_data=([text, question], answers),
    verbose=0,
)
assert logger.seen >= len(model.layers)
assert load_model("my_model.h5").predict([text, question], verbose=0).shape == (12, 5)

posts_input = Input(shape=(None,), dtype="int32", name="posts")
x = layers.Embedding(20, 4)(posts_input)
x = layers.Conv1D(3, 2, activation="relu")(x)
x = layers.GlobalMaxPooling1D()(x)
age_prediction = layers.Dense(1, name="age")(x)
income_prediction = layers.Dense(3, activation="softmax", name="income")(x)
gender_prediction = layers.Dense(1, activation="sigmoid", name="gender")(x)
model = Model(posts_input, [age_prediction, income_prediction, gender_prediction])
model.compile(
    optimizer="rmsprop",
    loss={"age": "mse", "income": "categorical_crossentropy", "gender": "binary_crossentropy"},
    loss_weights={"age": 0.25, "income": 1.0, "gender": 10.0},
)
y = {
    "age": draws.uniform(size=12),
    "income": to_categorical(draws.randint(0, 3, 12)),
    "gender": draws.randint(0, 2, 12),
}
losses = model.fit(text, y, epochs=1, batch_size=6, verbose=0).history
assert {"loss", "age_loss", "income_loss", "gender_loss"} <= set(losses)

picture = Input(shape=(6, 6, 2))
branch_a = layers.Conv2D(2, 1, activation="relu", strides=2)(picture)
branch_b = layers.Conv2D(2, 1, activation="relu")(picture)
branch_b = layers.Conv2D(2, 3, activation="relu", strides=2, padding="same")(branch_b)
branch_c = layers.AveragePooling2D(3, strides=2, padding="same")(picture)
branch_c = layers.Conv2D(2, 3, activation="relu", padding="same")(branch_c)
inception = layers.concatenate([branch_a, branch_b, branch_c], axis=-1)
residual = layers.Conv2D(4, 1, strides=2, padding="same")(inception)
z = layers.SeparableConv2D(4, 3, activation="relu", padding="same")(inception)
z = layers.BatchNormalization()(z)
z = layers.MaxPooling2D(2, strides=2, padding="same")(z)
z = layers.add([z, residual])
net = Model(picture, layers.Dense(1)(layers.GlobalAveragePooling2D()(z)))
net.compile("adam", "mse")
assert np.isfinite(net.train_on_batch(draws.uniform(size=(4, 6, 6, 2)), np.ones(4)))

lstm = layers.LSTM(2)
left_input, right_input = Input(shape=(None, 3)), Input(shape=(None, 3))
merged = layers.concatenate([lstm(left_input), lstm(right_input)], axis=-1)
twin = Model([left_input, right_input], layers.Dense(1, activation="sigmoid")(merged))
assert len(twin.trainable_weights) == 5
twin.compile("rmsprop", "binary_crossentropy")
twin.fit([draws.uniform(size=(6, 4, 3))] * 2, np.ones(6), verbose=0)
assert callable(Xception)
