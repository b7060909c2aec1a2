"""Compares a compose file with the schema that docker-compose carries, and its references with what they name."""

import importlib.util
import json
import pathlib
import sys

import jsonschema
import yaml

document = yaml.safe_load(pathlib.Path(sys.argv[1]).read_text())
services = document["services"]
faults = []
for name, service in services.items():
    # A service names networks and its dependencies in a list, or in a table with options.
    for kind in ("networks", "secrets"):
        faults += [f"{name}: {kind}: no {one}" for one in service.get(kind, []) if one not in document[kind]]
    faults += [f"{name}: depends_on: no {one}" for one in service.get("depends_on", []) if one not in services]
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if not source.startswith(".") and source not in document["volumes"]:
            faults.append(f"{name}: volumes: no {source}")

# Part of the specification since that schema was written.
document.pop("name")
package = importlib.util.find_spec("compose").submodule_search_locations[0]
schema = json.loads((pathlib.Path(package) / "config/compose_spec.json").read_text())
for error in jsonschema.Draft7Validator(schema).iter_errors(document):
    faults.append(f"{'.'.join(map(str, error.absolute_path))}: {error.message}")

for fault in faults:
    print(fault)
sys.exit(1 if faults else 0)
