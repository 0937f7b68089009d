"""Chollet 7.3.2: hyperparameters found by Optuna, which gives up early on trials that look poor.

python -m refnet_fast.examples.hyperparameter_search
"""

from refnet_fast import callbacks, evaluation, layers, models, optimizers, visualize
from refnet_fast.datasets import pima
from refnet_fast.examples.support import Job, needed, run_program


class Pruning(callbacks.Callback):
    """Tells Optuna of every epoch, and ends a trial that Optuna gives up."""

    def __init__(self, trial, monitor):
        self.trial, self.monitor = trial, monitor

    def on_epoch_end(self, epoch, logs=None):
        self.trial.report(logs[self.monitor], epoch)
        if self.trial.should_prune():
            raise needed("optuna", "Optuna", "search").TrialPruned(f"epoch {epoch}: no better than the others")


def build_model(trial):
    model = models.Sequential([layers.Input((8,))])
    for number in range(trial.suggest_int("layers", 1, 3)):
        model.add(layers.Dense(trial.suggest_int(f"units_{number}", 4, 64, log=True), activation="relu"))
        model.add(layers.Dropout(trial.suggest_float(f"dropout_{number}", 0.0, 0.5)))
    model.add(layers.Dense(1, activation="sigmoid"))
    rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
    model.compile(optimizers.Adam(rate), loss="binary_crossentropy", metrics=["accuracy"])
    return model


def main(job: Job) -> None:
    optuna = needed("optuna", "Optuna", "search")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    data, labels = pima.load_data()
    rest, test = evaluation.hold_out_indices(len(data), 0.25, seed=job.seed)
    train, validation = rest[:400], rest[400:]
    epochs = job.epochs(40, 20)

    def objective(trial):
        x, x_validation = evaluation.standardized(data[train], data[validation])
        history = build_model(trial).fit(
            x,
            labels[train],
            epochs=epochs,
            batch_size=16,
            validation_data=(x_validation, labels[validation]),
            callbacks=[Pruning(trial, "val_loss")],
            verbose=0,
        )
        return min(history.history["val_loss"])

    def tell(study, trial):
        pruned = trial.state == optuna.trial.TrialState.PRUNED
        value = f"given up at loss {trial.value:.4f}" if pruned else f"loss {trial.value:.4f}"
        job.say(f"trial {trial.number}: {value}; best so far {study.best_value:.4f}")

    sampler, pruner = optuna.samplers.TPESampler(seed=job.seed), optuna.pruners.MedianPruner(n_startup_trials=4)
    study = optuna.create_study(direction="minimize", sampler=sampler, pruner=pruner)
    study.optimize(objective, n_trials=job.pick(60, 12), callbacks=[tell])
    job.say(f"best: {study.best_params}")

    x, x_test = evaluation.standardized(data[rest], data[test])
    model = build_model(optuna.trial.FixedTrial(study.best_params))
    model.fit(x, labels[rest], epochs=epochs, batch_size=16)
    job.result("trials", len(study.trials))
    job.result("given up early", sum(t.state == optuna.trial.TrialState.PRUNED for t in study.trials))
    job.result("least validation loss", study.best_value)
    job.result("test accuracy of the best", model.evaluate(x_test, labels[test])[1])
    job.result("baseline: the more frequent class", evaluation.majority_class(labels[rest], labels[test]))
    job.note("Pima Indians diabetes; the book names Hyperopt and Hyperas for this, without a program")
    finished = {f"trial {t.number}": t.value for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE}
    best = dict(sorted(finished.items(), key=lambda item: item[1])[:15])
    job.picture("trials", visualize.bars(best, title="The best trials", x_label="validation loss"))


if __name__ == "__main__":
    run_program(main)
