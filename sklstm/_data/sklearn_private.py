"""All that is used of scikit-learn without being public there: what a new release may break."""

from sklearn.metrics._scorer import _BaseScorer, _cached_call, _Scorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import _safe_indexing
from sklearn.utils._array_api import np_compat
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils._plotting import _validate_style_kwargs
from sklearn.utils._set_output import ADAPTERS_MANAGER, _get_output_config
from sklearn.utils.validation import (
    _check_feature_names_in,
    _check_response_method,
    _check_sample_weight,
    _is_fitted,
    _num_samples,
)

__all__ = [
    "ADAPTERS_MANAGER",
    "BaseSearchCV",
    "HasMethods",
    "Interval",
    "RealNotInt",
    "StrOptions",
    "_BaseScorer",
    "_Scorer",
    "_cached_call",
    "_check_feature_names_in",
    "_check_response_method",
    "_check_sample_weight",
    "_get_output_config",
    "_is_fitted",
    "_num_samples",
    "_safe_indexing",
    "_validate_style_kwargs",
    "check_matplotlib_support",
    "np_compat",
    "validate_parameter_constraints",
]
