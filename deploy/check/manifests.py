"""Reads files of YAML, checks every document against the schemas of Kubernetes, and prints faults and documents as JSON.

Kinds that are not Kubernetes' own are checked against schemas/KIND-VERSION.json; a kind without a schema is a fault. With no version named,
nothing is checked but that the files are YAML without a key twice.
"""

import argparse
import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

SCHEMAS = pathlib.Path(__file__).parent / "schemas"


class Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a key that stands twice is a slip of the pen."""


def mapping(loader, node, deep=False):
    seen = set()
    for key, _ in node.value:
        name = loader.construct_object(key, deep=deep)
        if name in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} stands twice", key.start_mark)
        seen.add(name)
    return loader.construct_mapping(node, deep)


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)


def fault_of(document, version):
    """What is wrong with a document, in a line; None where nothing is."""
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        return fault_of_custom(document)
    except kubernetes_validate.ValidationError as error:
        return line(error)
    return None


def fault_of_custom(document):
    kind, api = document["kind"], document["apiVersion"]
    schema = SCHEMAS / f"{kind.lower()}-{api.rpartition('/')[2]}.json"
    if not schema.exists():
        return f"no schema for kind {kind} of {api}: put one at {schema.name}"
    schema = json.loads(schema.read_text())
    error = next(jsonschema.Draft202012Validator(schema).iter_errors(document), None)
    return line(error) if error else None


def line(error):
    return f"{'.'.join(str(part) for part in error.path) or 'the document'}: {error.message}"[:400]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubernetes", default="", help="versions, separated by commas")
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    faults, documents = [], {}
    versions = [version for version in args.kubernetes.split(",") if version]
    for path in args.files:
        try:
            found = [document for document in yaml.load_all(path.read_text(), Loader) if document is not None]
        except yaml.YAMLError as error:
            faults.append(f"{path.name}: {error}")
            continue
        documents[str(path)] = found
        for document in found:
            for version in versions:
                fault = fault_of(document, version)
                if fault:
                    name = f"{document['kind']}/{document['metadata']['name']}"
                    faults.append(f"{path.name}: {name}: Kubernetes {version}: {fault}")
    json.dump({"faults": faults, "documents": documents}, sys.stdout)


main()
