"""Photos in and out: colour, depth, transparency, orientation and metadata come back as they were; only the edit changes pixels."""

from textedit_core.photos.photo import Metadata, Photo
from textedit_core.photos.reading import open_photo
from textedit_core.photos.saving import save_image, save_photo

__all__ = ["Metadata", "Photo", "open_photo", "save_image", "save_photo"]
