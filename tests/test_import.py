import subprocess
import sys

import pytest

import sklstm


@pytest.mark.parametrize(
    "statement",
    [
        "from sklstm import Sequences, SequenceFlattener, SequenceWindower",
        "from sklstm import TimestampSplit, TokenSequencer",
        "from sklstm.datasets import load_weather",
        "import sklstm.inspection",
        "import sklstm.plotting",
    ],
)
def test_tables_and_windows_do_not_import_torch(statement):
    script = f"{statement}; import sys; assert not {{'torch', 'skorch'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_every_public_name_is_there():
    assert all(getattr(sklstm, name).__name__ == name for name in sklstm.__all__)
    with pytest.raises(AttributeError, match="module 'sklstm' has no attribute 'LSTM'"):
        _ = sklstm.LSTM
