"""sklstm as it comes: neighbouring windows are computed in one run when training."""

from systems import sklstm


class System(sklstm.System):
    """The default ``supervised_steps``."""

    supervised_steps = "auto"
