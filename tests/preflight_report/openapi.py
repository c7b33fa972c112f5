"""Holds what was sent to GitHub, and what was answered, against GitHub's published OpenAPI description.

Arguments: the description. Standard input: a JSON list of exchanges (method, path, query, body, status, answer). Prints one line per
violation; nothing if there is none.
"""

import json
import sys
import urllib.parse

import referencing
import referencing.jsonschema
from jsonschema import validators

# A refusal that the description leaves out for most operations.
EVERYWHERE = {"401", "403", "404", "410", "429", "500", "502", "503", "504"}


def nullable(keyword):
    """OpenAPI 3.0 allows null beside a type by `nullable`, which JSON Schema does not know."""
    check = validators.Draft7Validator.VALIDATORS[keyword]

    def allowing_null(validator, value, instance, schema):
        if instance is None and schema.get("nullable"):
            return
        yield from check(validator, value, instance, schema) or ()

    return allowing_null


KEYWORDS = {name: nullable(name) for name in ("type", "enum", "oneOf", "anyOf", "allOf")}
Validator = validators.extend(validators.Draft7Validator, KEYWORDS)


class Description:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.document = json.load(file)
        contents = referencing.Resource(self.document, referencing.jsonschema.DRAFT7)
        self.registry = referencing.Registry().with_resource("urn:github", contents)
        self.routes = [(template.strip("/").split("/"), item) for template, item in self.document["paths"].items()]

    def resolved(self, value):
        while "$ref" in value:
            target = self.document
            for part in value["$ref"].lstrip("#/").split("/"):
                target = target[part.replace("~1", "/")]
            value = target
        return value

    def operation(self, method, path):
        """The operation and how many segments of its path are literal: the most literal path wins."""
        segments = path.strip("/").split("/")
        found = []
        for template, item in self.routes:
            if len(template) == len(segments) and method.lower() in item:
                pairs = list(zip(template, segments))
                if all(one.startswith("{") or one == other for one, other in pairs):
                    found.append((sum(one == other for one, other in pairs), item))
        return max(found, key=lambda entry: entry[0])[1][method.lower()] if found else None

    def problems(self, schema, instance):
        absolute = json.loads(json.dumps(schema).replace('"$ref": "#/', '"$ref": "urn:github#/'))
        validator = Validator(absolute, registry=self.registry)
        for error in validator.iter_errors(instance):
            place = "/".join(map(str, error.absolute_path)) or "the document"
            yield f"{place}: {error.message[:300]}"


def query_problems(description, operation, query):
    known = {one["name"]: one for one in map(description.resolved, operation.get("parameters", []))}
    given = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    for name, value in given.items():
        if known.get(name, {}).get("in") != "query":
            yield f"the parameter {name} is not documented"
            continue
        schema = known[name].get("schema", {})
        if schema.get("type") == "integer":
            value = int(value) if value.isdigit() else value
        yield from (f"parameter {name}: {problem}" for problem in description.problems(schema, value))
    for name, parameter in known.items():
        if parameter["in"] == "query" and parameter.get("required") and name not in given:
            yield f"the parameter {name} is missing"


def body_problems(description, operation, body):
    if "requestBody" not in operation:
        if body is not None:
            yield "a body is not documented"
        return
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    if body is None:
        yield "the body is missing"
        return
    yield from description.problems(schema, body)
    properties = {}
    for one in [schema, *schema.get("oneOf", []), *schema.get("anyOf", [])]:
        properties.update(description.resolved(one).get("properties", {}))
    yield from (f"the property {name} is not documented" for name in body if name not in properties)


def answer_problems(description, operation, status, answer):
    documented = operation["responses"].get(status)
    if documented is None:
        if status not in EVERYWHERE:
            yield f"the status {status} is not documented"
        elif answer is not None:
            yield from description.problems({"$ref": "#/components/schemas/basic-error"}, answer)
        return
    content = description.resolved(documented).get("content", {}).get("application/json")
    if content and answer is not None:
        yield from description.problems(content["schema"], answer)
    elif content and status.startswith("2"):
        yield f"the answer {status} has no document"


def main():
    description = Description(sys.argv[1])
    for exchange in json.load(sys.stdin):
        what = f"{exchange['method']} {exchange['path']}"
        operation = description.operation(exchange["method"], exchange["path"])
        if operation is None:
            print(f"{what}: not documented")
            continue
        checks = [
            query_problems(description, operation, exchange["query"]),
            body_problems(description, operation, exchange["body"]),
            answer_problems(description, operation, str(exchange["status"]), exchange["answer"]),
        ]
        for problems in checks:
            for problem in problems:
                print(f"{what} ({exchange['status']}): {problem}")


main()
