import os

os.environ.setdefault("MPLBACKEND", "agg")  # no windows
os.environ["SCIPY_ARRAY_API"] = "1"  # before scipy is imported: scikit-learn skips checks without

import pytest
import torch


def pytest_configure(config):
    torch.set_num_threads(1)  # the networks of the tests are small, and tests run side by side


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request):
    return request.param


def pytest_runtest_setup(item):
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        pytest.skip("there is no CUDA GPU")
