"""The engines `cuda`, `cuda-cublas`, `cuda-tf32` and `cuda-sim`: the CPU's plans as launches of Numba CUDA kernels.

Nothing here is imported before one of them is asked for.
"""
