#!/usr/bin/env bash
# Guess: 'M1/4SM' in a METAR (less than a quarter mile) reads as 0.25, 'P6SM' (more than six) as 6.
# What happens: avwx gives no visibility for 'M1/4SM' and value None for 'P6SM'; metar gives 402 m and the sign only in its text.
# Why it matters: the foggiest hours of an airport become missing values, so a model of fog is trained without them.
# Seen on 2026-11-30: avwx-engine 1.9.10, metar 2.0.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  avwx-engine==1.9.10 metar==2.0.2
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
from importlib.metadata import version

import avwx
from metar.Metar import Metar

print("avwx-engine", version("avwx-engine"), "metar", version("metar"))

visibilities = {}
for group in ("1/4SM", "M1/4SM", "P6SM", "10SM"):
    report = f"KJFK 301251Z 24008KT {group} OVC002 10/10 A2992"
    found = avwx.Metar.from_report(report).data.visibility
    other = Metar("METAR " + report).vis
    visibilities[group] = found and found.value, round(other.value("M")), str(other)
    print(group, "avwx:", found, "| metar:", other.value("M"), "m,", other)

assert visibilities["1/4SM"][0] == 0.25
assert avwx.Metar.from_report("KJFK 301251Z 24008KT M1/4SM OVC002 10/10 A2992").data.visibility is None
assert visibilities["P6SM"][0] is None
assert visibilities["10SM"][0] == 10
assert visibilities["M1/4SM"][1] == visibilities["1/4SM"][1] == 402
assert visibilities["M1/4SM"][2].startswith("less than")
assert not visibilities["1/4SM"][2].startswith("less than")
EOF
