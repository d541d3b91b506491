#!/usr/bin/env bash
# Guess: torch.func works on nn.LSTM as on any other layer.
# What happens: on a CPU in float32, jvp, jacfwd, hessian and vmap all fail for LSTM; jacrev works; GRU has them all but vmap; with oneDNN off, LSTM has jvp as well.
# Why it matters: sensitivities of a forecast to its inputs, curvature, and ensembles by vmap are the usual uses; a change of cell decides whether they run.
# Seen on: 2026-11-30, torch 2.13.0 on an x86-64 CPU.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import torch
from torch import func

print("torch", torch.__version__)
torch.manual_seed(0)
x = torch.randn(5, 1, 3)
several = torch.randn(7, 5, 1, 3)


def attempt(network, transform):
    def total(z):
        return network(z)[0][-1].sum()

    try:
        if transform == "jvp":
            func.jvp(total, (x,), (torch.ones_like(x),))
        elif transform == "vmap":
            func.vmap(total)(several)
        else:
            getattr(func, transform)(total)(x)
    except (NotImplementedError, RuntimeError) as error:
        return type(error).__name__
    return "works"


names = ("jacrev", "jvp", "jacfwd", "hessian", "vmap")
lstm, gru = torch.nn.LSTM(3, 4).eval(), torch.nn.GRU(3, 4).eval()
found = {"LSTM": {name: attempt(lstm, name) for name in names}, "GRU": {name: attempt(gru, name) for name in names}}
with torch.backends.mkldnn.flags(enabled=False):
    found["LSTM, oneDNN off"] = {name: attempt(lstm, name) for name in names}
found["LSTM, float64"] = {}
lstm, x, several = lstm.double(), x.double(), several.double()
found["LSTM, float64"] = {name: attempt(lstm, name) for name in names}
for kind, results in found.items():
    print(f"{kind:17}", results)

no, missing = "NotImplementedError", "RuntimeError"
assert found["LSTM"] == {"jacrev": "works", "jvp": no, "jacfwd": no, "hessian": no, "vmap": missing}
works = {"jacrev": "works", "jvp": "works", "jacfwd": "works", "hessian": "works", "vmap": missing}
assert found["GRU"] == found["LSTM, oneDNN off"] == found["LSTM, float64"] == works
EOF
