"""Independent judges of pictures, trained on the face world's ground truth: they measure, and are never a training loss."""

from textedit_core.judges.store import Judges, open_judges

__all__ = ["Judges", "open_judges"]
