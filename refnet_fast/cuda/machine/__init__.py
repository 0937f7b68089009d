"""A machine for PTX, in NumPy: compiled kernels run on it where there is no device.

Numba's simulator runs the Python of a kernel; here runs what the compiler has made of it: its types, its instructions, its addresses,
NVIDIA's library of functions. All threads of some blocks go through an instruction at once, an array for each register
(`running.py`). An instruction that the machine does not know is an error, and so is whatever PTX leaves undefined and a program must not
do: an access outside of the arrays that the kernel was given, or at an address that is no multiple of its size; a barrier that not all
threads reach; two threads at one place of memory, one of them writing, without an order between them (`races.py`).

What it cannot show: what the assembler makes of PTX (it may fuse products and sums that are written without a rounding), the errors of
approximate functions, which are rounded correctly here, and time.
"""

from refnet_fast.cuda.machine.errors import MachineError

__all__ = ["MachineError"]
