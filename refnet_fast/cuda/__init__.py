"""The engines `cuda` and `cuda-sim`: the CPU's plans as launches of Numba CUDA kernels.

Nothing here is imported before one of the two engines is asked for.
"""
