"""How long a training step takes, beside PyTorch and Keras: `python -m refnet_fast.bench`.

Each program in `programs/` is a process of its own, which imports nothing of the others: a threading library that one of them
loads first can slow another down. They take turns, round after round, so that a change of the machine's pace meets all alike.
"""
