#!/usr/bin/env bash
# usage: tests/schemas.sh PYTHON VALIDATE.PY FOLDER
# Validates every response (XML) that the tests left in FOLDER. Fails if one does not validate, or if there is none.
set -euo pipefail
python=$1 validate=$2 folder=$3
count=$(find "$folder" -name '*.xml' | wc -l)
if [ "$count" = 0 ]; then
  echo "no test left a response to validate" >&2
  exit 1
fi
if find "$folder" -name '*.xml' -print0 | xargs -0 "$python" "$validate" > "$folder/report.txt"; then
  echo "$count different responses validate"
else
  grep -v ': ok$' "$folder/report.txt" | head -20 >&2
  exit 1
fi
