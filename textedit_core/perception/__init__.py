"""Frozen judges of images: a text-image matcher and a face recogniser, used by losses and by evaluation."""
