#!/usr/bin/env bash
# Guess: 250 samples at 100 Hz in an EDF file come back as 250, or with zeros at the end.
# What happens: edfio refuses 2.5 s at its records of 1 s; pyedflib writes 300, and the zeros are cut to the physical range: 20 degrees for a range of 20 to 40.
# Why it matters: a recording ends with up to a second of possible values that nobody measured, which windows and labels then take.
# Seen on 2026-11-30: pyEDFlib 0.1.42, edfio 0.4.18.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  pyEDFlib==0.1.42 edfio==0.4.18 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
from importlib.metadata import version

import edfio
import numpy as np
import pyedflib

print("pyEDFlib", version("pyEDFlib"), "edfio", version("edfio"))

temperature = np.full(250, 36.6)
header = {
    "label": "skin", "dimension": "degC", "sample_frequency": 100, "transducer": "", "prefilter": "",
    "physical_min": 20, "physical_max": 40, "digital_min": -32768, "digital_max": 32767,
}
with pyedflib.EdfWriter("skin.edf", 1, file_type=pyedflib.FILETYPE_EDFPLUS) as writer:
    writer.setSignalHeaders([header])
    writer.writeSamples([temperature])
with pyedflib.EdfReader("skin.edf") as reader:
    read = reader.readSignal(0)
print("pyedflib wrote 250, read", len(read), "the last before and the first after:", read[249].round(3), read[250].round(3))
assert len(read) == 300
np.testing.assert_allclose(read[:250], 36.6, atol=0.001)
np.testing.assert_allclose(read[250:], 20.0, atol=0.001)


def edf(**options):
    signal = edfio.EdfSignal(temperature, sampling_frequency=100, label="skin", physical_range=(20, 40))
    return edfio.Edf([signal], **options)


try:
    edf()
    raise AssertionError("no error")
except ValueError as error:
    print("edfio: ValueError:", error)
edf(data_record_duration=0.5).write("half.edf")
with pyedflib.EdfReader("half.edf") as reader:
    assert len(reader.readSignal(0)) == 250
print("with records of 0.5 s: 250")
EOF
