"""Chollet 7.2: what watches a training: early stopping, checkpoints, a falling learning rate, TensorBoard.

python -m refnet_fast.examples.callbacks_at_work
"""

import importlib.util

from refnet_fast import callbacks, layers, models, visualize
from refnet_fast.datasets import imdb
from refnet_fast.examples.support import Job, run_program
from refnet_fast.preprocessing.sequence import pad_sequences


def build_model(words, maxlen):
    model = models.Sequential()
    model.add(layers.Embedding(words, 128, input_length=maxlen, name="embed"))
    model.add(layers.Conv1D(32, 7, activation="relu"))
    model.add(layers.MaxPooling1D(5))
    model.add(layers.Conv1D(32, 7, activation="relu"))
    model.add(layers.GlobalMaxPooling1D())
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
    return model


def main(job: Job) -> None:
    words, maxlen, count = job.pick((2000, 500, 25000), (2000, 120, 4000))
    (x_train, y_train), (x_test, y_test) = imdb.load_data(num_words=words)
    x_train, y_train = pad_sequences(x_train[:count], maxlen=maxlen), y_train[:count]
    x_test, y_test = pad_sequences(x_test[:count], maxlen=maxlen), y_test[:count]
    job.output.mkdir(parents=True, exist_ok=True)
    best = str(job.output / "callbacks_at_work_best.keras")
    watching = [
        callbacks.EarlyStopping(monitor="val_acc", patience=2),
        callbacks.ModelCheckpoint(filepath=best, monitor="val_loss", save_best_only=True),
        callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.1, patience=2),
    ]
    if importlib.util.find_spec("tensorboard"):
        logs = str(job.output / "callbacks_at_work_logs")
        watching.append(callbacks.TensorBoard(log_dir=logs, histogram_freq=1))
        job.note(f"to look at the training: tensorboard --logdir {logs}")
    else:
        job.note("TensorBoard is not installed (extra 'tensorboard'): no logs for it")

    job.say("training until it gets no better")
    model = build_model(words, maxlen)
    history = model.fit(
        x_train, y_train, epochs=job.epochs(20, 12), batch_size=128, validation_split=0.2, callbacks=watching
    )
    job.result("epochs", len(history.history["loss"]), book=20)
    job.result("test accuracy, last epoch", model.evaluate(x_test, y_test)[1])
    job.result("test accuracy of the best one kept", models.load_model(best).evaluate(x_test, y_test)[1])
    job.result("learning rate at the end", history.history["learning_rate"][-1])
    job.picture("curves", visualize.training_curves(history, title="Until it gets no better"))


if __name__ == "__main__":
    run_program(main)
