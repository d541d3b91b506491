"""sklstm in mixed precision, window by window."""

from systems import sklstm


class System(sklstm.System):
    """The recurrent layer computes in bfloat16."""

    dtype = "bfloat16"
