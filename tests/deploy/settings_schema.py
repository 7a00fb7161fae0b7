"""The JSON Schema of `settings` in the chart's values, from docs/settings.md, which is generated from the defaults.

A key that the program does not know is refused before anything is installed. Relations of keys are the program's to
check.
"""

import json
import re
import tomllib

ROW = re.compile(r"^\| `(?P<key>[^`]+)` \| (?:`(?P<default>.*?)`)? \| (?P<meaning>.*) \|$")
EXAMPLE = re.compile(r" Example: `(.*)`\.$")

# The chart sets these, or they are passwords, which do not belong in a ConfigMap.
NOT_HERE = {
    "source.instance",
    "http.enabled",
    "http.listen",
    "kafka.sasl_password",
    "kafka.ssl_private_key_password",
}
DURATION = {"type": ["integer", "string"], "pattern": r"^(PT[0-9HMS]+|[0-9.]+ ?[a-z]+( ?[0-9.]+ ?[a-z]+)*)$"}
SIZE = {"type": ["integer", "string"], "pattern": r"^[0-9.]+ ?([KMGT]i?)?B$"}
CHOICES = {
    "kafka.security_protocol": ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"],
    "kafka.sasl_mechanism": ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
    "source.assignment": ["range", "cooperative-sticky"],
    "source.offset_reset": ["earliest", "latest"],
    "decode.format": ["json", "text"],
    "decode.on_clash": ["dead_letter", "replace"],
    "decode.tombstones": ["skip", "forward", "dead_letter"],
    "sink.layout": ["merge", "nest", "bare"],
    "sink.guarantee": ["exactly_once", "at_least_once"],
    "sink.compression": ["none", "gzip", "snappy", "lz4", "zstd"],
    "reference.kind": ["fixed", "previous", "rolling", "seasonal"],
    "log.format": ["text", "json"],
}
TOPIC = {"type": "string", "pattern": "^[a-zA-Z0-9._-]{1,249}$"}
TEXTS = {"type": "array", "items": {"type": "string"}}
FORMS = {
    "kafka.brokers": {
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "pattern": r"^[^\s,]+:[0-9]{1,5}$"},
    },
    "source.topics": {"type": "array", "minItems": 1, "uniqueItems": True, "items": TOPIC},
    "source.group": {"type": "string", "minLength": 1},
    "drift.group": {"type": "string", "minLength": 1},
    "drift.topics": {"type": "array", "minItems": 1, "items": TOPIC},
    "sink.output_topic": TOPIC,
    "sink.dead_letter_topic": TOPIC,
    "state.topic": TOPIC,
    "labels.topic": TOPIC,
    # The pod's grace is worked out from it.
    "run.shutdown_grace_ms": {"type": "integer", "minimum": 1000, "maximum": 3600000},
}


def settings_schema(page):
    """The schema of all sections that the page lists."""
    sections = {}
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        name = re.match(r"`\[(.*?)\]`", part).group(1)
        table = sections
        for step in name.split("."):
            table = table.setdefault(step, section())["properties"]
        for row in filter(None, map(ROW.match, part.splitlines())):
            key = row["key"]
            if key.startswith('"'):  # an example of free names, as in kafka.properties
                free = sections
                *above, last = name.split(".")
                for step in above:
                    free = free[step]["properties"]
                free[last] = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
            elif f"{name}.{key}" not in NOT_HERE:
                table[key] = form(f"{name}.{key}", row["default"], row["meaning"])
    return {**section(), "properties": sections, "required": ["kafka"]}


def section():
    return {"type": "object", "additionalProperties": False, "properties": {}}


def form(key, default, meaning):
    """What a value of this key looks like; its first sentence says what it is for."""
    example = EXAMPLE.search(meaning)
    said = EXAMPLE.sub("", meaning)
    described = {"description": re.split(r"(?<=[.:;]) ", said)[0].rstrip(":;")}
    if key in FORMS:
        return {**described, **FORMS[key]}
    if key in CHOICES:
        return {**described, "enum": CHOICES[key]}
    written = default if default is not None else example and example.group(1)
    return {**described, **of_type(key, tomllib.loads(f"value = {written}")["value"])}


def of_type(key, value):
    unit = re.split("[._]", key.removesuffix("_max"))[-1]
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, (int, float)):
        if unit == "ms":
            return DURATION
        if unit == "bytes":
            return SIZE
        return {"type": "integer"} if isinstance(value, int) else {"type": "number"}
    if isinstance(value, list):
        return TEXTS
    return {"type": "string"}


def dump(schema):
    return json.dumps(schema, indent=2) + "\n"
