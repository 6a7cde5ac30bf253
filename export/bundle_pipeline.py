"""The name by which environments installed by an older version know `export.bundle_networks`; it goes with the next release."""

from export.bundle_networks import open_networks as open_pipeline

__all__ = ["open_pipeline"]
