"""Two folders are collected in processes of their own alone: `simulated` where the simulator is on (test_in_simulator.py starts one),
`launched` where REFNET_FAKE_DRIVER says that a driver may be put in the place of NVIDIA's (test_on_a_fake_driver.py)."""

import os

collect_ignore = [] if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1" else ["simulated"]
collect_ignore += [] if os.environ.get("REFNET_FAKE_DRIVER") == "1" else ["launched"]
