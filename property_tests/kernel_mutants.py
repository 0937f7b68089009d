"""What a tuned kernel broken on purpose is, and its text. See `refnet.testing.mutants` for definitions and gradients.

The kernels are in `cpu_mutants` and `cuda_mutants`; `broken_kernels` runs them.
"""

import importlib.util
from pathlib import Path
from typing import NamedTuple


class KernelMutant(NamedTuple):
    """One broken line of a kernel.

    name: what is wrong then.  place, file: refnet_fast/<place>/<file>.py holds the kernel.  op: which it serves.  kernel: the
    function.  old, new: the text and what it becomes.  helpers: a file beside the kernel's, if the line stands in that.
    """

    name: str
    place: str
    file: str
    op: str
    kernel: str
    old: str
    new: str
    helpers: str = ""

    @property
    def broken(self):
        """The file that holds the line."""
        return self.helpers or self.file


def source(place, file):
    return Path(importlib.util.find_spec(f"refnet_fast.{place}.{file}").origin)


def broken_text(mutant):
    """The text of the file with the line replaced. Raises LookupError if it is not there, once."""
    text = source(mutant.place, mutant.broken).read_text()
    before, kernel, rest = "", text, ""
    if text.count(mutant.old) > 1:  # kernels of one family share lines
        before, found, rest = text.partition(f"def {mutant.kernel}(")
        kernel, end, rest = (found + rest).partition("\n\n\n")
        rest = end + rest
    if kernel.count(mutant.old) != 1:
        raise LookupError(
            f"{mutant.name!r}: {mutant.old!r} stands {text.count(mutant.old)} times; bring it up to date."
        )
    return before + kernel.replace(mutant.old, mutant.new) + rest
