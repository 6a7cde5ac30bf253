"""Text-driven face editing: networks, losses, training and the embedded reference model."""

__version__ = "0.1.0"
