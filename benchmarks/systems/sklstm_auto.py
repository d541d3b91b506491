"""sklstm with its default: neighbouring windows share their computations in training."""

from systems import sklstm


class System(sklstm.System):
    """The default ``supervised_steps``."""

    supervised_steps = "auto"
