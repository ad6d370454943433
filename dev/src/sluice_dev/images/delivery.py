"""How do the project's images come into the cluster at hand: by its container runtime, or through a registry?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sluice_dev.cluster import Cluster
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.own import OwnSettings
from sluice_dev.images.build import build_archives, build_for_registry
from sluice_dev.images.catalog import IMAGES, content_key

LOADED = "loaded-images.json"
"""In the embedded cluster's state folder, so it ends with it: image -> key of the archive loaded last."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Delivered:
    """An image that the cluster can run. reference: what it is called there. key: of its content."""

    reference: str
    key: str


def deliver_images(cluster: Cluster, layout: Layout, report: Report) -> dict[str, Delivered]:
    """Builds what changed and brings it to where the cluster finds it. Returns image name -> what it is there.

    Raises ClusterError.
    """
    return _load(cluster, layout, report) if cluster.embedded else _push(layout, OwnSettings.read(), report)


def _push(layout: Layout, own: OwnSettings, report: Report) -> dict[str, Delivered]:
    images = list(IMAGES.values())
    references = build_for_registry(layout, images, own.registry, push=True, base_image=own.base, report=report)
    return {
        image.name: Delivered(reference, content_key(image, layout.checkout, own.base))
        for image, reference in zip(images, references, strict=True)
    }


def _load(cluster: Cluster, layout: Layout, report: Report) -> dict[str, Delivered]:
    archives = build_archives(layout, list(IMAGES.values()), report)
    note = layout.state / LOADED
    loaded: dict[str, str] = json.loads(note.read_text()) if note.exists() else {}
    for name, archive in zip(IMAGES, archives, strict=True):
        if loaded.get(name) != archive.key:
            report(f"loads {archive.reference} into the cluster")
            cluster.load_image(archive.path)
            loaded[name] = archive.key
            note.write_text(json.dumps(loaded))
    return {name: Delivered(archive.reference, archive.key) for name, archive in zip(IMAGES, archives, strict=True)}


def by_reference(manifest: Any, references: Mapping[str, str]) -> Any:
    """The manifest with its images called what the cluster calls them. references: name in the manifest -> there."""
    if isinstance(manifest, dict):
        return {
            key: references.get(value, value) if key == "image" else by_reference(value, references)
            for key, value in manifest.items()
        }
    return [by_reference(item, references) for item in manifest] if isinstance(manifest, list) else manifest
