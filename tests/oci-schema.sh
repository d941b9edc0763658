#!/bin/sh
# Every golden config.json is valid by the OCI runtime specification's own JSON schema (Debian package
# golang-github-opencontainers-specs-dev). Prints TAP.
schema=/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema/config-schema.json
python=${PYTHON:-python3}

[ -e "$schema" ] || { echo "1..0 # SKIP needs golang-github-opencontainers-specs-dev"; exit 0; }
"$python" -c 'import jsonschema' 2>/dev/null || { echo "1..0 # SKIP needs python3-jsonschema"; exit 0; }
exec "$python" -W ignore - "$schema" "${TESTS_DIR:-tests}/vectors/oci" <<'END'
import json, pathlib, sys
import jsonschema

schema_path = pathlib.Path(sys.argv[1])
schema = json.loads(schema_path.read_text())
resolver = jsonschema.RefResolver(schema_path.parent.as_uri() + "/", schema)
validator = jsonschema.validators.validator_for(schema)(schema, resolver=resolver)
files = sorted(p for p in pathlib.Path(sys.argv[2]).glob("*.json") if p.name != "exec-process.json")
print(f"1..{len(files) + 1}")
for number, path in enumerate(files, 1):
    errors = list(validator.iter_errors(json.loads(path.read_text())))
    print("not ok" if errors else "ok", number, path.name)
    for error in errors:
        print("#", list(error.absolute_path), error.message[:200])
broken = json.loads(files[0].read_text())
broken["process"]["args"] = "not a list"
print("ok" if list(validator.iter_errors(broken)) else "not ok", len(files) + 1, "a broken one is noticed")
END
