import sys

import pytest


@pytest.fixture(autouse=True)
def _figures():
    """Doctests draw too: from twenty open figures on matplotlib warns."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
