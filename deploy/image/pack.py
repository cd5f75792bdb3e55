#!/usr/bin/env python3
"""Writes OCI archives of folders of layers, with the same bytes for the same files.

Usage: pack.py --source COMMIT --out FOLDER --image NAME LAYER … [--image NAME LAYER …]
Writes FOLDER/NAME.tar and FOLDER/NAME.digest. Files belong to root and have the time 0, so that a layer depends on its
files alone; SOURCE_DATE_EPOCH is the time of the image.
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import tarfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TITLES = {
    "calopipe": "From Geant4 calorimeter showers to a validated generative model",
    "calopipe-train": "calopipe with LibTorch, for training variational autoencoders and neural-network classifiers",
}


def version():
    return re.search(r"project\(calopipe VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]


def add_bytes(archive, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


class HashingWriter:
    """Passes on what is written, and computes its SHA-256."""

    def __init__(self, file):
        self.file = file
        self.sha256 = hashlib.sha256()

    def write(self, data):
        self.sha256.update(data)
        return self.file.write(data)

    def flush(self):
        self.file.flush()


def anonymous(info):
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


class Blobs:
    """Blobs in a folder, by their SHA-256."""

    def __init__(self, folder):
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.layers = {}

    def put(self, data, media_type):
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}

    def layer(self, folder):
        """Returns the descriptor of the compressed layer and the digest of its tar file."""
        if folder not in self.layers:
            self.layers[folder] = self.pack(folder)
        return self.layers[folder]

    def pack(self, folder):
        paths = sorted(path.relative_to(folder) for path in folder.rglob("*"))
        partial = self.folder / "partial"
        with partial.open("wb") as file:
            compressed = HashingWriter(file)
            with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=compressed, mtime=0) as zipped:
                plain = HashingWriter(zipped)
                with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as archive:
                    for path in paths:
                        archive.add(folder / path, arcname=str(path), recursive=False, filter=anonymous)
        digest = compressed.sha256.hexdigest()
        size = partial.stat().st_size
        partial.rename(self.folder / digest)
        descriptor = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:" + digest, "size": size}
        return descriptor, "sha256:" + plain.sha256.hexdigest()


def write_archive(file, reference, manifest, blobs):
    """Writes the OCI archive of one image, whose name is `reference`, and returns its digest."""
    described = blobs.put(json.dumps(manifest, sort_keys=True).encode(), manifest["mediaType"])
    described["annotations"] = {
        "io.containerd.image.name": reference,
        "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
    }
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [described]}
    partial = file.with_name(file.name + ".partial")
    with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as archive:
        add_bytes(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add_bytes(archive, "index.json", json.dumps(index, sort_keys=True).encode())
        for blob in sorted({described["digest"], manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])}):
            digest = blob.removeprefix("sha256:")
            archive.add(blobs.folder / digest, arcname=f"blobs/sha256/{digest}", filter=file_mode)
    partial.rename(file)
    return described["digest"]


def write_image(name, folders, source, out, blobs):
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"])))
    labels = {
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.description": TITLES[name],
        "org.opencontainers.image.version": version(),
        "org.opencontainers.image.revision": source,
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    layers = [blobs.layer(folder) for folder in folders]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": created,
        "config": {
            "User": "1000:1000",
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp"],
            "Entrypoint": ["/usr/bin/calopipe"],
            "WorkingDir": "/tmp",
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
        "history": [{"created": created, "created_by": f"scripts/image.sh: {folder.name}"} for folder in folders],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blobs.put(json.dumps(config, sort_keys=True).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor for descriptor, _ in layers],
        "annotations": labels,
    }
    digest = write_archive(out / f"{name}.tar", f"localhost/{name}:{version()}", manifest, blobs)
    (out / f"{name}.digest").write_text(digest + "\n")
    size = sum(layer["size"] for layer in manifest["layers"])
    print(f"{name}: {digest}, {size / 1e6:.1f} MB compressed ("
          + ", ".join(f"{folder.name} {layer['size'] / 1e6:.1f}" for folder, layer in zip(folders, manifest["layers"])) + ")")


def file_mode(info):
    info.mode = 0o644
    return anonymous(info)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--image", nargs="+", action="append", required=True, metavar=("NAME", "LAYER"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    blobs = Blobs(arguments.out / "blobs")
    for name, *folders in arguments.image:
        write_image(name, [pathlib.Path(folder) for folder in folders], arguments.source, arguments.out, blobs)
    shutil.rmtree(blobs.folder)


if __name__ == "__main__":
    main()
