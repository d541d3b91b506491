#!/usr/bin/env bash
# Guess: get_moving_data().max_speed of a track is its fastest leg.
# What happens: the fastest 5 % of the legs are left out first, and legs of unusual length too: a track of 2 m/s with three legs at 10 m/s has a max_speed of 2; raw=True gives 10.
# Why it matters: sprints are what a sequence model of tracks is to see; a label or a feature from this function has none of them.
# Seen on: 2026-11-30, gpxpy 1.6.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gpxpy==1.6.2
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
from datetime import datetime, timedelta, timezone
from importlib.metadata import version

from gpxpy.gpx import GPX, GPXTrack, GPXTrackPoint, GPXTrackSegment

print("gpxpy", version("gpxpy"))
start = datetime(2026, 1, 1, tzinfo=timezone.utc)
segment, latitude = GPXTrackSegment(), 0.0
for second in range(100):
    segment.points.append(GPXTrackPoint(latitude, 0.0, time=start + timedelta(seconds=second)))
    latitude += (10.0 if second in (30, 50, 70) else 2.0) / 111_319.9  # metres a degree
track = GPX()
track.tracks.append(GPXTrack())
track.tracks[0].segments.append(segment)

legs = sorted(point.speed_between(following) for point, following in zip(segment.points, segment.points[1:]))
default, raw = track.get_moving_data(), track.get_moving_data(raw=True)
no_percentile = track.get_moving_data(speed_extreemes_percentiles=0)
print("fastest legs:", [round(speed, 1) for speed in legs[-4:]])
print("max_speed:", round(default.max_speed, 2), "| raw=True:", round(raw.max_speed, 2), "| percentiles 0:", round(no_percentile.max_speed, 2))
print("distance of the points:", round(segment.length_2d()), "moving_distance:", round(default.moving_distance))
assert 9.9 < legs[-3] and 9.9 < raw.max_speed < 10.1
assert 1.9 < default.max_speed < 2.1 and 1.9 < no_percentile.max_speed < 2.1
EOF
