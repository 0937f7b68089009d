"""The conformance kit: certificates, strategies, laws and mutants. `python -m refnet.testing MODULE` holds anybody's functions to it."""

from refnet.testing.certificates import certificate, check, hold
from refnet.testing.closeness import close
