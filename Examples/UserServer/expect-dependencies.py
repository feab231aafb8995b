"""Reads `swift package show-dependencies --format json`, and fails unless a package of it has exactly the dependencies named."""

import json
import sys

name, expected = sys.argv[1], sorted(sys.argv[2:])


def packages(package):
    yield package
    for dependency in package["dependencies"]:
        yield from packages(dependency)


found = [
    sorted(dependency["identity"] for dependency in package["dependencies"])
    for package in packages(json.load(sys.stdin))
    if package["name"] == name
]
if found != [expected]:
    sys.exit(f"{name} should depend on {expected}, and does on {found}")
