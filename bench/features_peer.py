"""Computes the CaloChallenge's high-level features of a file with numpy. Prints the seconds of reading and of computing."""
import sys
import time

import h5py
import numpy as np

n_r, n_phi, n_z = 18, 50, 45
start = time.perf_counter()
with h5py.File(sys.argv[1]) as file:
    showers = file["showers"][:]
    incident = file["incident_energies"][:]
read = time.perf_counter() - start

radius = (np.arange(n_r) + 0.5) * 2.325
alpha = -np.pi + (np.arange(n_phi) + 0.5) * 2 * np.pi / n_phi
eta = (radius[None, :] * np.cos(alpha)[:, None]).ravel().astype(np.float32)
phi = (radius[None, :] * np.sin(alpha)[:, None]).ravel().astype(np.float32)
r = np.tile(radius, n_phi).astype(np.float32)
start = time.perf_counter()
cells = n_r * n_phi
features = [showers.sum(axis=1) / incident.ravel()]
layers = []
for layer in range(n_z):
    energy = showers[:, layer * cells:(layer + 1) * cells]
    total = energy.sum(axis=1)
    layers.append(total)
    for x in (eta, phi, r):
        centre = energy @ x / (total + 1e-16)
        features += [centre, np.sqrt(np.clip(energy @ (x * x) / (total + 1e-16) - centre**2, 0, None))]
    features.append(1 - (energy > 0).mean(axis=1))
layers = np.stack(layers, axis=1)
rings = showers.reshape(len(showers), n_z * n_phi, n_r).sum(axis=1)
sectors = showers.reshape(len(showers), n_z, n_phi, n_r).sum(axis=(1, 3))
for profile, size in ((layers, 3.4), (rings, 2.325)):
    place = np.arange(profile.shape[1]) * size
    mean = profile @ place / profile.sum(axis=1)
    features += [mean, profile @ place**2 / profile.sum(axis=1) - mean**2]
    share = np.cumsum(profile, axis=1) / profile.sum(axis=1, keepdims=True)
    features.append((share >= 0.9).argmax(axis=1) * size)
features.append(showers.max(axis=1))
with np.errstate(divide="ignore"):
    spectrum = np.histogram(np.log10(showers[showers > 0]), bins=70, range=(-3, 4))[0]
average = showers.mean(axis=0)
print(read, time.perf_counter() - start, float(np.sum([f.sum() for f in features]) + sectors.sum() + spectrum.sum() + average.sum()))
