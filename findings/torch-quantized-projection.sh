#!/usr/bin/env bash
# Guess: quantize_dynamic of an LSTM with proj_size works, or says at once that it does not know projections.
# What happens: it converts without a word about projections, drops the projection matrices, and the converted network fails at its first call with a message on "packB".
# Why it matters: a projected LSTM that is made smaller for a device is found broken only when it is served, not when it is converted.
# Seen on: 2026-11-30, torch 2.13.0 on a CPU (its warning says that the module goes in 2.10; in 2.13 it is still there).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import warnings

import torch

print("torch", torch.__version__)
warnings.simplefilter("ignore")
torch.manual_seed(0)
x = torch.randn(5, 2, 3)
for projection in (0, 2):
    network = torch.nn.Sequential(torch.nn.LSTM(3, 8, proj_size=projection)).eval()
    converted = torch.ao.quantization.quantize_dynamic(network, {torch.nn.LSTM})
    print("proj_size", projection, "converted to", type(converted[0]).__module__ + ".LSTM", "| mentions a projection:", "hr_l0" in str(converted.state_dict().keys()))
    try:
        output = converted(x)[0]
    except RuntimeError as error:
        print("  first call:", str(error).splitlines()[0])
        assert projection == 2 and "packB" in str(error)
    else:
        difference = float((output - network(x)[0]).abs().max())
        print(f"  first call: right up to {difference:.3f}")
        assert projection == 0 and 0 < difference < 0.05
EOF
