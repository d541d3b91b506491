"""What every public estimator has. Think twice before adding anything."""

from zlib import crc32

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin

__all__ = ["SequenceEstimator"]


class SequenceEstimator(CallbackSupportMixin, BaseEstimator):
    """Takes scikit-learn's callbacks, is saved as plain data, and links to its documentation.

    What is saved has a checksum for each attribute: pickle reads altered numbers without a word.
    """

    _doc_link_module = "sklstm"
    _doc_link_template = "https://sklstm.readthedocs.io/stable/api/{estimator_name}.html"

    def __getstate__(self):
        state = self._to_plain(dict(super().__getstate__()))
        return state | {"_checksums": {name: _checksum(value) for name, value in state.items()}}

    def __setstate__(self, state):
        state = dict(state)
        checksums = state.pop("_checksums", {})
        for name in checksums.keys() & state.keys():
            if _checksum(state[name]) != checksums[name]:
                raise ValueError(
                    f"The saved {type(self).__name__} is damaged: its {name} is not what was "
                    "saved. Take another copy, or fit it anew."
                )
        super().__setstate__(state)

    def _to_plain(self, state):
        """Attributes as arrays, numbers, texts, and lists and dicts of them."""
        return state


def _checksum(value, start=0):
    """Checksum of plain data; what is none adds nothing."""
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return crc32(value.tobytes(), crc32(f"{value.dtype} {value.shape}".encode(), start))
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist()
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (list, tuple)):
        for item in value:
            start = _checksum(item, start)
    elif value is None or type(value) in (bool, float, int, str):
        start = crc32(repr(value).encode(), start)
    return start
