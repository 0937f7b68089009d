"""Training, evaluation and prediction on one batch, for loops that a user writes."""

from typing import Any

from refnet.models.lean import ModelFunction
from refnet.models.streaming import Streaming
from refnet.structure import packed


class SingleBatches(Streaming):
    """What Model has for single batches."""

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step of training, on one batch.

        Args:
            x, y, sample_weight, class_weight: as in `fit`, for this batch.
            return_dict: whether the results are a dict by name.
        Returns:
            The batch's loss; where there are metrics a list of the loss and theirs.
        Raises:
            ArgumentError, ShapeError, DtypeError, DataError: before any weight, metric or optimizer state is changed.

        >>> import refnet, numpy as np
        >>> model = refnet.Sequential([refnet.Input((2,)), refnet.layers.Dense(1, kernel_initializer="ones")])
        >>> model.compile("sgd", "mse")
        >>> model.train_on_batch(np.ones((3, 2)), np.zeros(3))
        4.0
        """
        self._must_be_compiled("train_on_batch")
        return self._on_batch("train", "train_on_batch", x, y, sample_weight, return_dict, class_weight)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and the metrics of one batch. Arguments, results and errors as of `train_on_batch`; nothing is trained."""
        self._must_be_compiled("test_on_batch")
        return self._on_batch("test", "test_on_batch", x, y, sample_weight, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch; see `predict`."""
        parts = self._checked("predict_on_batch", x)
        with self._preparing():
            batches = self._fed("predict_on_batch", parts[0])
            step = self._executable("predict", batches)
        results = step.run(batches.arrays)
        return packed(self._structure(step, batches), results)

    def function(self) -> ModelFunction:
        """The predictions as a plain function of arrays, without the checks of the data, callbacks and batches of `predict`.

        For loops that ask for a sample at a time: a call costs little more than the arithmetic. It follows the model: its weights,
        its layers, the engine in use. Numbers that are not finite are not warned of.

        Returns:
            A function of one array for each input, batch first; it returns what `predict_on_batch` does.

        >>> import refnet, numpy as np
        >>> model = refnet.Sequential([refnet.Input((2,)), refnet.layers.Dense(1, kernel_initializer="ones")])
        >>> step = model.function()
        >>> step(np.array([[1, 2], [3, 4]], "float32"))
        array([[3.],
               [7.]], dtype=float32)
        """
        return ModelFunction(self)

    def _on_batch(
        self, kind: str, method: str, x: Any, y: Any, weights: Any, return_dict: bool, class_weight: Any = None
    ) -> Any:
        parts = self._class_weighted(method, self._checked(method, x, y, weights), class_weight)
        with self._preparing():
            batches = self._fed(method, *parts)
            step = self._executable(kind, batches)
        with self._alone(method):
            self.reset_metrics()
            step.run(batches.arrays)
            self._ran[kind] = step.program
            return returned(self._results(kind), return_dict)


def returned(results: dict[str, Any], as_dict: bool) -> Any:
    """Results by name as a dict, as a list, or as the value if there is one."""
    if as_dict:
        return results
    values = list(results.values())
    return values[0] if len(values) == 1 else values
