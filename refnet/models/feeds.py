"""What fit takes its batches from, epoch by epoch: arrays in memory, or data that come batch by batch; and what it was told of validation."""

import warnings
from typing import Any, NamedTuple

from refnet import limits
from refnet.annotations import Array
from refnet.errors import ArgumentError
from refnet.models.batches import Batches
from refnet.models.sources import Source


class Validation(NamedTuple):
    """What fit was told of validation."""

    data: Any  # (x, y) or (x, y, sample_weight), what gives batches, or None
    size: int  # of a batch
    steps: int | None  # how many batches; all if None


class Pass(NamedTuple):
    """A way through arrays in memory, batch by batch."""

    step: Any  # the executable that takes the batches
    batches: Batches
    size: int  # samples in a batch
    order: Array | None = None  # of the samples; as they lie if None
    arrays: Any = None  # those of `batches` as the engine takes them (`Executable.fed`), if it was asked before


class ArrayFeed:
    """Arrays in memory: every pass takes all samples once, in an order of its own if they are shuffled.

    With `steps` given an epoch is so many batches: it goes on in the pass where the last epoch stopped, and begins another
    pass where one ends.

    Args:
        size: samples in a batch.
        steps: batches in an epoch; a whole pass if None.
    """

    def __init__(self, model: Any, batches: Batches, size: int, shuffle: bool, steps: int | None):
        self.model, self.batches, self.size, self.shuffle = model, batches, size, shuffle
        self.length = -(-len(batches) // size)
        self.steps = limits.steps(self.length if steps is None else steps)
        self.order: Array | None = None
        self.given: tuple[Any, Any] = (None, None)  # the last step, and the arrays as its engine takes them
        self.at = self.length  # the next batch of this pass

    def take_up(self, epochs_done: int, first: int) -> None:
        """After an interruption: so many epochs were trained; then `epoch` is to skip `first` batches."""
        self.at = epochs_done * self.steps % self.length or self.length
        if self.at < self.length and self.shuffle:  # this pass's order was drawn before the state was written
            seed, drawn = self.model.shuffler_state()
            self.model.set_shuffler(seed, drawn - 1)
            self.order = self.model.shuffled(len(self.batches))

    def ended(self, epoch: int) -> bool:
        """Whether there is nothing for another epoch."""
        return False

    def epoch(self, listed: Any, first: int) -> int:
        """Trains for an epoch, from batch `first`. Gives the number of the next batch."""
        step = self.model._executable("train", self.batches)
        if self.given[0] is not step:
            self.given = step, step.fed(self.batches.arrays, self.size)
        done = 0
        while done < self.steps:
            if self.at == self.length:
                self.order = self.model.shuffled(len(self.batches)) if self.shuffle else None
                self.at = 0
            count = min(self.length - self.at, (first if done < first else self.steps) - done)
            if done >= first:
                stop = self.at + count
                through = Pass(step, self.batches, self.size, self.order, self.given[1])
                ran: int = self.model._run("train", through, self.at, stop, listed, number=done)
                if self.model.stop_training:  # a callback ended training
                    self.at += ran
                    return done + ran
            self.at, done = self.at + count, done + count
        return done

    def ran_out(self, done: int, epoch: int) -> bool:
        """Whether an epoch got fewer batches than were asked for, so that training ends."""
        return False


class SourceFeed:
    """Data that come batch by batch: see `sources.Source`."""

    def __init__(self, model: Any, source: Source, steps: int | None, class_weight: Any):
        self.model, self.source, self.class_weight = model, source, class_weight
        self.steps = limits.steps(source.length if steps is None else steps)

    def take_up(self, epochs_done: int, first: int) -> None:
        if first:
            raise ArgumentError(
                f"fit: the backup was written within an epoch, after {first} batches; data that come batch by batch can "
                "only be taken up between epochs. Use BackupAndRestore(save_freq='epoch') with them."
            )

    def ended(self, epoch: int) -> bool:
        ended = self.source.ended()
        if ended:
            _ran_out(0, epoch)
        return ended

    def epoch(self, listed: Any, first: int) -> int:
        data = self.source.data
        getattr(data, "on_epoch_begin", _nothing)()
        done: int = self.model._stream("train", self.source, self.steps, listed, self.class_weight)
        getattr(data, "on_epoch_end", _nothing)()
        return done

    def ran_out(self, done: int, epoch: int) -> bool:
        short = self.steps is not None and done < self.steps
        if short:
            _ran_out(done, epoch)
        return short


def _ran_out(done: int, epoch: int) -> None:
    warnings.warn(
        f"fit: x ran out of data after {done} batches of epoch {epoch + 1}; training ends here. It has to give at least "
        "steps_per_epoch * epochs batches.",
        stacklevel=5,
    )


def _nothing() -> None: ...
