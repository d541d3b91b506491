#!/usr/bin/env bash
# Guess: a channel of a lower rate is brought to the recording's rate by repeating or joining its values; nothing leaves their range.
# What happens: it is resampled by a Fourier transform: a step from 0 to 1 reaches 1.14 and -0.14, and its end is bent towards its beginning (the last value is 0.08, not 1).
# Why it matters: temperature, respiration and event channels are slow ones beside EEG; a network sees values that were never measured, and before the step what comes after it.
# Seen on: 2026-11-30, mne 1.13.2 (file written by edfio 0.4.18).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mne==1.13.2 edfio==0.4.18 numpy==2.4.6 scipy==1.17.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import edfio
import mne
import numpy as np

mne.set_log_level("ERROR")
print("mne", mne.__version__)
fast = edfio.EdfSignal(np.zeros(1000), 100, label="EEG", physical_dimension="uV", physical_range=(-2, 2))
step = np.r_[np.zeros(50), np.ones(50)]
slow = edfio.EdfSignal(step, 10, label="Resp", physical_dimension="uV", physical_range=(-2, 2))
edfio.Edf([fast, slow]).write("night.edf")

raw = mne.io.read_raw_edf("night.edf", preload=True)
read = raw.get_data("Resp")[0] * 1e6
print("rate of the recording:", raw.info["sfreq"], "Hz; samples of the slow channel:", len(read))
print(f"written: 0 to 1; read: {read.min():.3f} to {read.max():.3f}")
print("the half second before the step:", read[450:500:10].round(3), "and every 0.05 s:", read[455:500:10].round(3))
print(f"first value {read[0]:.3f}, last value {read[-1]:.3f} (written 0 and 1)")
assert raw.info["sfreq"] == 100 and len(read) == 1000
assert 1.12 < read.max() < 1.16 and -0.16 < read.min() < -0.12
assert abs(read[455:500:10]).max() > 0.05  # before the step
assert read[-1] < 0.2
alone = mne.io.read_raw_edf("night.edf", preload=True, include=["Resp"])
own = alone.get_data()[0] * 1e6
print("read alone:", alone.info["sfreq"], "Hz,", len(own), "samples,", f"{own.min():.3f} to {own.max():.3f}")
assert alone.info["sfreq"] == 10 and np.allclose(own, step, atol=1e-3)
EOF
