"""What every public estimator has. Think twice before adding anything."""

from sklearn.base import BaseEstimator

__all__ = ["DocumentedEstimator"]


class DocumentedEstimator(BaseEstimator):
    """An estimator whose HTML representation links to its page in the documentation."""

    _doc_link_module = "sklstm"
    _doc_link_template = "https://sklstm.readthedocs.io/stable/api/{estimator_name}.html"
