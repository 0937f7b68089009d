"""Step after step on the device: each batch gathered there, outputs kept there, and the host asked for nothing in between."""

import time

import numpy as np

from refnet import dtypes
from refnet_fast.cuda import device, services
from refnet_fast.cuda.memory import Rooms
from refnet_fast.cuda.replay import Replay
from refnet_fast.memory import bytes_of

SLICE = 0.1  # seconds after which the host waits for the device, so that progress is shown and Ctrl-C heard
KEPT = 2**26  # bytes of outputs that are kept on the device before they are fetched


class Epoch:
    """One program's way through one data set.

    Args:
        running: the CudaRunning.
        data: where batches come from: a Resident or Windows.
        batch_size: samples between the beginnings of two batches; the program's own batch may be smaller.
        keeps: whether outputs are wanted.
    """

    def __init__(self, running, data, batch_size, keeps):
        self.running, self.data, self.batch_size = running, data, batch_size
        self.stream, self.rooms, place = running.residence.stream, Rooms(), running.memory.address
        self.words = services.new_words(self.rooms, [0, 0])  # the step; the first step whose outputs are kept
        wanted = running.plan.outputs if keeps else []
        steps = max(1, data.samples // batch_size)
        self.most = max(1, min(steps, KEPT // max(1, sum(map(bytes_of, wanted)))))  # steps between two waits
        self.kept = [services.room(self.rooms, (self.most * bytes_of(y),), "uint8") for y in wanted]
        before = [
            services.gather(source, data.order, self.words, batch_size, data.ring, services.flat_of(place(x), x))
            for x, source in zip(running.concrete.inputs, data.sources)
        ]
        after = [
            services.keep(services.flat(place(y), bytes_of(y), "uint8"), self.words, room)
            for y, room in zip(wanted, self.kept)
        ]
        last = services.advance(self.words, running.guard)
        self.step = Replay([*before, *running.launches, *after, last], self.stream)
        self.pace = 1  # steps that take about a slice

    def run(self, start, stop, outputs, duration):
        """Steps start..stop, or as many as take about `duration` seconds. Gives the number of the next."""
        until, done = time.monotonic() + duration, start
        while done < stop:
            count, began = min(stop - done, self.pace, self.most), time.monotonic()
            if self.running.checks:  # what violated one is looked up in the batch, which must still be there
                count = min(count, self.data.lasting(done))
            device.upload(np.array([done, done]), self.words.address)
            for step in range(done, done + count):
                self.data.before(step, self.stream)
                self.step()
                self.data.after(step)
            device.wait(self.stream)
            self.running.check(self.words)
            self._fetch(done, count, outputs)
            done, now = done + count, time.monotonic()
            self.pace = max(1, min(8 * self.pace, int(count * duration / max(now - began, 1e-6))))
            if now > until:
                break
        return done

    def _fetch(self, first, count, outputs):
        """Writes what was kept of steps first..first + count to where the caller wants it."""
        for y, room, target in zip(self.running.plan.outputs, self.kept, outputs or ()):
            rows = np.empty((count, *y.shape), dtypes.as_numpy(y.dtype))
            device.download(room.address, rows)
            for step in range(count):
                at = (first + step) * self.batch_size
                target[at : at + y.shape[0]] = rows[step]
