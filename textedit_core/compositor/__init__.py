"""The compositor: draws an edit on the photograph itself, guided by what the decoder makes of the face before and after the edit."""

from __future__ import annotations

from textedit_core.compositor.config import CompositorConfig
from textedit_core.compositor.network import Compositor, guides_of

__all__ = ["Compositor", "CompositorConfig", "guides_of"]
