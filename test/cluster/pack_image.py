#!/usr/bin/env python3
"""Makes an OCI archive of a folder, for the small images of the tests' node."""
import argparse
import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/image"))
import pack  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, type=pathlib.Path, help="folder with the files of the image")
    parser.add_argument("--name", required=True, help="localhost/NAME:TAG")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="archive to write")
    parser.add_argument("--user", default="1000:1000")
    parser.add_argument("--entrypoint", default="", help="words of the program, separated by spaces")
    parser.add_argument("--env", default=[], action="append", help="NAME=VALUE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.out.parent) as work:
        blobs = pack.Blobs(pathlib.Path(work) / "blobs")
        descriptor, diff_id = blobs.layer(options.root)
        config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id]},
                  "config": {"User": options.user, "Env": ["PATH=/usr/bin:/bin", *options.env],
                             **({"Entrypoint": options.entrypoint.split()} if options.entrypoint else {})}}
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": blobs.put(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
                    "layers": [descriptor]}
        pack.write_archive(options.out, options.name, manifest, blobs)


main()
