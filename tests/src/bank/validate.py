"""Validates messages of ISO 20022 against their schemas, which two packages contain. Prints what each file is."""

import importlib.util
import pathlib
import sys

import xmlschema

SCHEMAS = {"camt": ("camt053", "xsd"), "pain": ("sepaxml", "schemas")}

for path in sys.argv[1:]:
    document = xmlschema.XMLResource(path)
    message = document.namespace.rpartition(":")[2]
    package, folder = SCHEMAS[message[:4]]
    installed = importlib.util.find_spec(package).submodule_search_locations[0]
    schema = xmlschema.XMLSchema(pathlib.Path(installed, folder, message + ".xsd"))
    schema.validate(document)
    print(message)
