"""Memory and objects after 100 and after 1,100 steps of refnet's fit, in calls of one epoch: `refnet_growth.py WORK`."""

import collections
import gc
import json
import resource
import sys

from nets import built
from workloads import found

import refnet_fast

work = found(sys.argv[1])
x, y = work.data()
model = built(work, refnet_fast)


def train(steps: int) -> None:
    for _ in range(-(-steps // work.steps)):
        model.fit(x, y, batch_size=work.batch, epochs=1, verbose=0)


def state() -> tuple[dict[str, int], collections.Counter]:
    gc.collect()
    kinds = collections.Counter(type(thing).__name__ for thing in gc.get_objects())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"peak_bytes": peak, "objects": sum(kinds.values())}, kinds


train(100)
state()  # counting makes objects too, the first time
before, kinds_before = state()
train(1000)
after, kinds_after = state()
kinds = {kind: n for kind in kinds_after if (n := kinds_after[kind] - kinds_before[kind])}
print(json.dumps({"after_100": before, "after_1100": after, "kinds": kinds}))
