"""Cases drawn by Hypothesis."""

from hypothesis import strategies as st

from refnet.testing.draw import Draw


class Drawn(Draw):
    """Decisions that Hypothesis makes, and shrinks."""

    def __init__(self, data, calm=False, exotic=False):
        super().__init__(calm, exotic)
        self.data = data

    def integer(self, low, high):
        return self.data.draw(st.integers(low, high)) if low < high else low
