"""How many sequences a network computes at once."""

from dataclasses import dataclass

__all__ = ["SMALLEST_PART", "BatchSizes", "steps_in_part"]

OUTPUTS_IN_BATCH = {"cpu": 3 * 2**19, "gpu": 2**26}
"""Numbers that a recurrent layer outputs for a batch to predict. That of the CPU is measured, that
of other devices estimated: 256 MB of outputs, and a few times that for intermediate results.
"""

OUTPUTS_IN_PART = 2**19
"""Numbers that the recurrent layers output for a part of a training batch: measured."""

LARGEST_BATCH = {"cpu": 2**10, "gpu": 2**13}
"""Sequences of a batch to predict, however short they are: by judgement, not measured."""

SMALLEST_BATCH = 32
"""Sequences of a batch to predict, also of long ones: the fixed cost of a step, that of 8 sequences
(`STEP_COST`), is a fifth of such a batch's."""

SMALLEST_PART = 4
"""Sequences of a part of a training batch, also of long ones: by judgement, not measured."""

MOST_THREADS_OF_PARTS = 2
"""With more threads than these, large parts are faster than those whose memory is used again."""


@dataclass(frozen=True)
class BatchSizes:
    """Numbers of sequences, by the size of a network.

    Attributes
    ----------
    width : int
        Numbers that a layer outputs for a step: of both directions, and all networks of an
        ensemble.
    kind : {"cpu", "gpu"}
        Kind of device.
    to_predict : int or None
        Sequences of a batch to predict, if the user chose them.
    """

    width: int
    kind: str
    to_predict: int | None = None

    def of_prediction(self, n_steps: int) -> int:
        """Choose how many sequences to predict at once, independently of the training batches.

        On a CPU a batch is small enough for the C library to reuse its memory.

        Parameters
        ----------
        n_steps : int
            Length of the longest sequence.

        Returns
        -------
        int
            That of the user, if it is given.
        """
        if self.to_predict is not None:
            return self.to_predict
        fitting = OUTPUTS_IN_BATCH[self.kind] // (max(n_steps, 1) * self.width)
        return min(max(fitting, SMALLEST_BATCH), LARGEST_BATCH[self.kind])

    def of_attribution(self, n_steps: int) -> int:
        """Choose of how many sequences to compute gradients at once: as in a part of a batch."""
        if self.kind != "cpu":
            return self.of_prediction(n_steps)
        return max(OUTPUTS_IN_PART // (n_steps * self.width), 1)


def steps_in_part(width: int, num_layers: int, n_threads: int) -> int | None:
    """Steps of all sequences of a part of a training batch, which oneDNN's LSTM computes.

    They are so many that it can use its memory again. A larger part takes up to 1.6 times as long
    for each sequence: its blocks are larger than what glibc keeps, so that the system clears new
    pages for them at each batch.

    Parameters
    ----------
    width : int
        Numbers that a layer of one network outputs for a step.
    num_layers : int
        Number of layers.
    n_threads : int
        Number of threads.

    Returns
    -------
    int or None
        `None` if parts are not worthwhile.
    """
    if n_threads > MOST_THREADS_OF_PARTS:
        return None
    return OUTPUTS_IN_PART // (width * num_layers)
