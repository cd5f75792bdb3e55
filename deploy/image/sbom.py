#!/usr/bin/env python3
"""Writes the list of an image's parts (SPDX 2.3) from the status of its Debian packages and from the build folder.

Usage: sbom.py --name IMAGE --source COMMIT --out FILE LAYER …
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
NONE = "NOASSERTION"


def package(kind, name, version, purl, licence=NONE, **more):
    identifier = re.sub(r"[^A-Za-z0-9.-]", "-", f"SPDXRef-{kind}-{name}")
    return {
        "SPDXID": identifier, "name": name, "versionInfo": version, "downloadLocation": NONE, "filesAnalyzed": False,
        "licenseConcluded": NONE, "licenseDeclared": licence, "copyrightText": NONE,
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}], **more,
    }


def deb_purl(name, version, architecture):
    return f"pkg:deb/debian/{name}@{urllib.parse.quote(version, safe='')}?arch={architecture}&distro=debian-12"


def fields(text):
    return dict(re.findall(r"^([A-Za-z-]+): (.*)$", text, re.MULTILINE))


def debian_packages(layers):
    for file in sorted(file for layer in layers for file in layer.glob("var/lib/dpkg/status.d/*")):
        control = fields(file.read_text())
        name, version = control["Package"], control["Version"]
        source = control.get("Source", name)
        yield package("deb", name, version, deb_purl(name, version, control["Architecture"]),
                      supplier=f"Organization: Debian ({control['Maintainer']})", sourceInfo=f"Debian source package {source}",
                      licenseComments=f"/usr/share/doc/{name}/copyright")


def static_packages():
    for line in (ROOT / "deploy/image/static-packages.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        control = fields(subprocess.run(["dpkg-query", "--status", line], check=True, text=True, capture_output=True).stdout)
        yield package("static", line, control["Version"], deb_purl(line, control["Version"], control["Architecture"]),
                      licenseComments=f"/usr/share/doc/calopipe/licences/{line}")


def npm_packages():
    for line in (ROOT / "build/release/web/bundle/dist/packages.txt").read_text().splitlines():
        name, version = line.split()
        licence = json.loads((ROOT / f"build/release/web/bundle/node_modules/{name}/package.json").read_text())["license"]
        yield package("npm", name, version, f"pkg:npm/{urllib.parse.quote(name)}@{version}", licence)


def wheels():
    for line in (ROOT / "deploy/image/torch-wheels.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        requirement, checksum = line.split(" --hash=sha256:")
        name, version = requirement.split("==")
        licence = "BSD-3-Clause" if name == "torch" else NONE
        yield package("pypi", name, version, f"pkg:pypi/{name}@{version}", licence,
                      licenseComments="/usr/share/doc/calopipe/licences",
                      comment=f"only its libraries for CPUs, from the wheel with SHA-256 {checksum}")


def document(name, source, layers):
    version = re.search(r"project\(calopipe VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    image = package("image", name, version, f"pkg:oci/{name}@{source.replace('+', '%2B')}")
    program = package("program", "calopipe", version, f"pkg:generic/calopipe@{version}", "Apache-2.0",
                      sourceInfo=f"built from commit {source}")
    contained = [program, *debian_packages(layers)]
    if any((layer / "usr/lib/calopipe/libtorch_cpu.so").exists() for layer in layers):
        contained += wheels()
    static = [*static_packages(), *npm_packages()]
    relation = lambda first, kind, second: {
        "spdxElementId": first["SPDXID"], "relationshipType": kind, "relatedSpdxElement": second["SPDXID"]}
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"{name}-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/{name}-{version}-{source.replace('+', '-')}",
        "creationInfo": {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))),
            "creators": ["Tool: calopipe-sbom.py"]},
        "packages": [image, *contained, *static],
        "relationships": [relation({"SPDXID": "SPDXRef-DOCUMENT"}, "DESCRIBES", image),
                          *(relation(image, "CONTAINS", part) for part in contained),
                          *(relation(program, "STATIC_LINK", part) for part in static)],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("layers", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document(arguments.name, arguments.source, arguments.layers), indent=1)
    arguments.out.write_text(text + "\n")


main()
