#!/usr/bin/env bash
# Guess: nnx.RNN with seq_lengths gives zeros at padded steps, as packed sequences in torch and sequence_lens in onnxruntime do.
# What happens: it runs on through the padding: padded steps hold outputs computed from the padded values; only the returned carry is that of the last valid step.
# Why it matters: a mean, a maximum or a loss over time takes values from padding in; NaN used as padding is in the outputs.
# Seen on: 2026-11-30, flax 0.12.8, jax 0.10.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet flax==0.12.8 jax==0.10.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
from importlib.metadata import version

import jax.numpy as jnp
import numpy as np
from flax import nnx

print("flax", version("flax"), "jax", version("jax"))
cell = nnx.LSTMCell(3, 4, rngs=nnx.Rngs(0))
x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, 3)), dtype=jnp.float32)
lengths = jnp.array([2, 5])
(_, last), outputs = nnx.RNN(cell, return_carry=True)(x, seq_lengths=lengths)
full = nnx.RNN(cell)(x)
print("row of length 2, first unit at steps 1 to 5:", np.asarray(outputs[0, :, 0]).round(4))
print("the same without lengths:                   ", np.asarray(full[0, :, 0]).round(4))
np.testing.assert_allclose(outputs, full, atol=1e-6)
assert float(abs(outputs[0, 2:]).max()) > 1e-3
np.testing.assert_allclose(last[0], outputs[0, 1], atol=1e-6)
print("carry is that of step 2: yes")
padded = x.at[0, 2:].set(jnp.nan)
(_, last), outputs = nnx.RNN(cell, return_carry=True)(padded, seq_lengths=lengths)
print("padded with NaN, NaN in the outputs:", bool(jnp.isnan(outputs[0, 2:]).all()), "in the carry:", bool(jnp.isnan(last).any()))
assert bool(jnp.isnan(outputs[0, 2:]).all()) and not bool(jnp.isnan(last).any())
back = nnx.RNN(cell, reverse=True)(x, seq_lengths=lengths)
alone = nnx.RNN(cell, reverse=True)(x[:1, :2])
np.testing.assert_allclose(back[0, :2], alone[0], atol=1e-6)
print("reverse=True starts at the last valid step; its first output is that step's")
EOF
