#!/usr/bin/env bash
# usage: tests/schemas.sh PYTHON VALIDATE.PY FOLDER
# Validates every response (XML) that the tests left in FOLDER. Fails if one does not validate, or if there is none.
#
# One thing the published schema of Sync lacks is taken out first: the ApplicationData of a Change in Responses, with which 16.x answers an
# attachment added to a draft ([MS-ASAIRS] 2.2.2.14: ClientId and FileReference are returned). The rest of such a response is validated.
set -euo pipefail
python=$1 validate=$2 folder=$3
count=$(find "$folder" -name '*.xml' | wc -l)
if [ "$count" = 0 ]; then
  echo "no test left a response to validate" >&2
  exit 1
fi
"$python" - "$folder" <<'PY'
import pathlib, sys
import xml.etree.ElementTree as ET

SYNC = "{AirSync}"
CLIENT_ID = "{AirSyncBase}Attachments/{AirSyncBase}Attachment/{AirSyncBase}ClientId"
for path in pathlib.Path(sys.argv[1]).glob("*Sync-*.xml"):
    tree = ET.parse(path)
    changes = [c for r in tree.iter(SYNC + "Responses") for c in r.findall(SYNC + "Change")]
    datas = [(c, d) for c in changes for d in c.findall(SYNC + "ApplicationData")]
    found = [(c, d) for c, d in datas if d.find(CLIENT_ID) is not None]
    for change, data in found:
        change.remove(data)
    if found:
        tree.write(path, encoding="utf-8", xml_declaration=True)
PY
if find "$folder" -name '*.xml' -print0 | xargs -0 "$python" "$validate" > "$folder/report.txt"; then
  echo "$count different responses validate"
else
  grep -v '^ok' "$folder/report.txt" | head -20 >&2
  exit 1
fi
