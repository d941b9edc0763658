#!/bin/sh
# doc/spec.schema.json says of every example in tests/vectors/spec what spec_read says of it (tests/unit/spec); what
# it cannot say is listed apart. Prints TAP.
here=${TESTS_DIR:-tests}
python=${PYTHON:-python3}

"$python" -c 'import jsonschema' 2>/dev/null || { echo "1..0 # SKIP needs python3-jsonschema"; exit 0; }
exec "$python" -W ignore - "$here/../doc/spec.schema.json" "$here/vectors/spec/examples.json" <<'END'
import json, sys
import jsonschema

schema, examples = (json.load(open(path)) for path in sys.argv[1:])
kind = jsonschema.Draft7Validator
kind.check_schema(schema)
validator = kind(schema)
cases = [(True, "accepted", spec) for spec in examples["accept"]]
cases += [(False, "refused", case["spec"]) for case in examples["refuse"]]
cases += [(True, "left to the reader", case["spec"]) for case in examples["refuse_beyond_schema"]]
print(f"1..{len(cases) + 1}")
for number, (valid, what, spec) in enumerate(cases, 1):
    print("ok" if validator.is_valid(spec) == valid else "not ok", number, what, json.dumps(spec)[:100].replace("#", "?"))
used = {name for spec in examples["accept"] for name in spec}
print("ok" if used == set(schema["properties"]) else "not ok", len(cases) + 1, "every member has an accepted example")
END
