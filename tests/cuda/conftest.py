"""The folder `simulated` is collected only where the simulator is on: test_in_simulator.py starts such a process for it."""

import os

collect_ignore = [] if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1" else ["simulated"]
