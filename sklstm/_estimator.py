"""What every public estimator has. Think twice before adding anything."""

from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin

__all__ = ["SequenceEstimator"]


class SequenceEstimator(CallbackSupportMixin, BaseEstimator):
    """Takes scikit-learn's callbacks, and links to its page in the documentation."""

    _doc_link_module = "sklstm"
    _doc_link_template = "https://sklstm.readthedocs.io/stable/api/{estimator_name}.html"
