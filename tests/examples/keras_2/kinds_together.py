"""What guides of Keras 2's time do around training: folds by hand, answers of several nets weighed, a search for the weights."""

import numpy as np
from keras import layers, models, optimizers, regularizers
from keras.callbacks import EarlyStopping, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau
from keras.utils import to_categorical
from keras.wrappers.scikit_learn import KerasClassifier
from scipy.optimize import minimize

data = np.random.normal(size=(60, 5))
labels = (data[:, 0] + data[:, 1] > 0).astype("int") + (data[:, 2] > 1)
targets = to_categorical(labels, 3)


def build_model(units=6, activation="relu"):
    model = models.Sequential()
    model.add(
        layers.Dense(
            units,
            activation=activation,
            input_shape=(data.shape[1],),
            kernel_regularizer=regularizers.l1_l2(l1=1e-4, l2=1e-4),
        )
    )
    model.add(layers.Dense(3, activation="softmax"))
    model.compile(optimizer=optimizers.RMSprop(lr=1e-2), loss="categorical_crossentropy", metrics=["acc"])
    return model


k = 4
num_val_samples = len(data) // k
all_scores, all_histories = [], []
for i in range(k):
    val_data = data[i * num_val_samples : (i + 1) * num_val_samples]
    val_targets = targets[i * num_val_samples : (i + 1) * num_val_samples]
    partial_data = np.concatenate([data[: i * num_val_samples], data[(i + 1) * num_val_samples :]], axis=0)
    partial_targets = np.concatenate([targets[: i * num_val_samples], targets[(i + 1) * num_val_samples :]], axis=0)
    mean, std = partial_data.mean(axis=0), partial_data.std(axis=0)
    model = build_model()
    history = model.fit(
        (partial_data - mean) / std,
        partial_targets,
        validation_data=((val_data - mean) / std, val_targets),
        epochs=2,
        batch_size=5,
        verbose=0,
    )
    all_histories.append(history.history["val_acc"])
    all_scores.append(model.evaluate((val_data - mean) / std, val_targets, verbose=0)[1])
average = [np.mean([x[i] for x in all_histories]) for i in range(2)]
assert average[-1] == np.mean(all_scores)

rate = LearningRateScheduler(lambda epoch: 0.02 * 0.5**epoch, verbose=1)
watch = [
    EarlyStopping("val_loss", patience=3),
    rate,
    ModelCheckpoint("weights.{epoch:02d}-{val_loss:.2f}.hdf5", save_best_only=True, save_weights_only=True, period=1),
    ReduceLROnPlateau(factor=np.sqrt(0.1), cooldown=0, patience=5, min_lr=0.5e-6),
]
members = [build_model(units, kind) for units, kind in ((4, "tanh"), (8, "relu"), (8, "elu"))]
for member in members:
    member.fit(
        data[:40],
        targets[:40],
        epochs=4,
        batch_size=8,
        validation_data=(data[40:], targets[40:]),
        callbacks=watch,
        verbose=2,
    )
answers = [member.predict_proba(data[40:]) for member in members]
final_preds = 0.25 * answers[0] + 0.25 * answers[1] + 0.5 * answers[2]


def loss_of(weights):
    weights = np.abs(weights) / np.abs(weights).sum()
    mixed = sum(w * answer for w, answer in zip(weights, answers))
    return -np.mean(np.log((mixed * targets[40:]).sum(1) + 1e-7))


found = minimize(loss_of, [1 / 3] * 3, method="Nelder-Mead", options={"maxiter": 60})
assert found.fun <= loss_of(np.ones(3)) and final_preds.shape == (20, 3)
assert members[0].predict_classes(data[40:]).shape == (20,)
wrapped = KerasClassifier(build_fn=build_model, units=4, epochs=2, batch_size=8, verbose=0)
wrapped.fit(data, labels)
assert 0 <= wrapped.score(data, labels) <= 1
