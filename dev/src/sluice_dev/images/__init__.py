"""The project's own images: built from its Dockerfiles, for the development cluster or for a registry."""

from sluice_dev.images.build import build_archives, build_for_registry, build_into_cluster
from sluice_dev.images.catalog import IMAGES, ProjectImage

__all__ = ["IMAGES", "ProjectImage", "build_archives", "build_for_registry", "build_into_cluster"]
