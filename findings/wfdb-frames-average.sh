#!/usr/bin/env bash
# Guess: rdrecord on a record whose channels have several rates averages the faster channel's samples of a frame; missing ones give NaN.
# What happens: the average is taken in whole digital units and cut towards zero, and the code for a missing sample (-32768) is averaged in: one missing sample of four makes -8179 of 10 to 40.
# Why it matters: multi-rate records (ECG beside blood pressure) read by default lose resolution and hold huge false values where samples are missing; smooth_frames=False gives both right.
# Seen on: 2026-11-30, wfdb 4.3.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet wfdb==4.3.1 pandas==3.1.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import warnings

import numpy as np

warnings.simplefilter("ignore")
import wfdb

print("wfdb", wfdb.__version__)
slow = np.arange(50)
fast = np.tile([0, 1, 2, 3], 50)
missing = np.tile([0, 10, -32768, 40], 50)  # -32768 stands for "missing" in format 16
for name, channel in (("whole", fast), ("missing", missing)):
    wfdb.wrsamp(
        name, fs=10, units=["mV", "mV"], sig_name=["slow", "fast"], e_d_signal=[slow, channel],
        fmt=["16", "16"], adc_gain=[1.0, 1.0], baseline=[0, 0], samps_per_frame=[1, 4],
    )
    default = wfdb.rdrecord(name).p_signal
    full = wfdb.rdrecord(name, smooth_frames=False).e_p_signal
    print(f"{name}: samples of a frame {full[1][:4]}, their mean {np.nanmean(full[1][:4])}, rdrecord's default {default[0, 1]}")
    if name == "whole":
        assert default.shape == (50, 2) and (default[:, 1] == 1.0).all()  # 1.5 cut to 1
        assert full[1][:4].tolist() == [0, 1, 2, 3]
    else:
        assert (default[:, 1] == -8179).all() and np.isnan(full[1][2])
EOF
