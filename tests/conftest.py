import os

os.environ.setdefault("MPLBACKEND", "agg")  # no windows
os.environ["SCIPY_ARRAY_API"] = "1"  # before scipy is imported: scikit-learn skips checks without

import pytest
import torch

HAS_CUDA = torch.cuda.is_available()


def pytest_configure(config):
    torch.set_num_threads(1)  # the networks of the tests are small, and tests run side by side
    # Tests without the marker run on the CPU everywhere, as do the processes that they start.
    # The process that only hands tests out to others has to leave the GPU to them.
    hands_out = getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput")
    if HAS_CUDA and not hands_out:
        torch.cuda.init()
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    torch.cuda.is_available = lambda: False
    torch.backends.cuda.matmul.allow_tf32 = False  # the oracles compute in float32, or better
    torch.backends.cudnn.allow_tf32 = False


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request):
    return request.param


@pytest.fixture(autouse=True)
def _gpu(request, monkeypatch):
    """A test with the marker finds the GPU, by itself too."""
    if request.node.get_closest_marker("cuda"):
        if not HAS_CUDA:
            pytest.skip("there is no CUDA GPU")
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
