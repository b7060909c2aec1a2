"""What the requests of schemathesis need to know of this API, beyond its description."""

import os
import re

import schemathesis

NAME = re.compile(r"[a-z0-9._-]{1,64}")


def as_written(value):
    """In JSON Schema 1.0 is an integer; here whole numbers are written without a fraction."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [as_written(item) for item in value]
    if isinstance(value, dict):
        return {name: as_written(item) for name, item in value.items()}
    return value


@schemathesis.hook
def map_body(context, body):
    body = as_written(body)
    # Nobody guesses the name of an account, so no transfer would ever be done.
    if isinstance(body, dict) and isinstance(body.get("to"), str) and NAME.fullmatch(body["to"]):
        body["to"] = os.environ["OPENCOIN_FUZZ_PAYEE"]
    return body
