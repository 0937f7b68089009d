"""Numbers that decide how work is divided; measured on the reference machine, never in the user's process.

They decide speed alone: results do not depend on them.
"""

ELEMENT_NS = 0.15  # a fused float32 operation on one element, or 4 bytes copied
TASK_NS = 12.0  # starting one row of a fused kernel
PARALLEL_NS = 3_000.0  # a row that takes less stays on one thread: a barrier costs 250
WAKE_NS = 200_000.0  # a single run that takes less does not wake other threads: that costs 60,000
BLOCK_BYTES = 256 * 1024  # what a chain writes before it starts over on the next rows
KEPT_BYTES = (
    2**29
)  # that the programs of an engine may take together, each built for the shapes it met; then the oldest go
KEPT = 8  # programs that were used last, which stay however large they are
UNIT_NODES = 24  # of a fused unit: bounds what its kernel holds at a time and takes to compile; chosen, not measured
CHAIN_UNITS = 6  # of a chain: the more of them write, the fewer rows BLOCK_BYTES leave a block; chosen, not measured
TURN_SECONDS = (
    0.05  # after which a run returns to Python, for Ctrl-C and the bar, which is drawn every tenth of a second
)
LISTED_SHARE = 0.01  # of the elements of a multi-hot input that are ones, for the estimate of its products
