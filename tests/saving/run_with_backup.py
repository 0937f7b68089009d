"""A child process of test_resume.py: trains with a BackupAndRestore and writes the final weights. `seed` is of this process alone."""

import os
import pathlib
import sys

import numpy as np

from refnet import Input, Sequential, callbacks, layers, optimizers, utils

EPOCHS, SIZE = 12, 4


def train(folder: pathlib.Path, save_freq: str, seed: int) -> None:
    data = np.random.default_rng(0)
    x, y = data.normal(size=(38, 6)).astype("float32"), data.integers(0, 3, 38)
    utils.set_random_seed(seed)
    model = Sequential(
        [
            Input((6,)),
            layers.Dense(8, "relu"),
            layers.Dropout(0.4),
            layers.Dense(6),
            layers.Dropout(0.2),
            layers.Dense(3),
        ]
    )
    model.compile(optimizers.Adam(0.01), "mse", metrics=["mae"])
    freq = save_freq if save_freq == "epoch" else int(save_freq)
    backup = callbacks.BackupAndRestore(folder / "backup", save_freq=freq, double_checkpoint=True)
    log = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: print("batch", batch, flush=True))
    print("training", flush=True)
    model.fit(x, np.eye(3, dtype="float32")[y], epochs=EPOCHS, batch_size=SIZE, callbacks=[backup, log], verbose=0)
    np.savez(folder / "unfinished.npz", *model.get_weights(), *[v.numpy() for v in model.optimizer.variables])
    os.replace(folder / "unfinished.npz", folder / "final.npz")  # whoever finds it finds all of it, kill or no kill
    print("done", flush=True)


if __name__ == "__main__":
    train(pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
