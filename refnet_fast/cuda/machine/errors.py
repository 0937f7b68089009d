"""What the machine refuses."""


class MachineError(Exception):
    """PTX that a device would refuse or for which it promises nothing, or that the machine does not know."""
