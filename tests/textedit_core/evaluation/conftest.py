"""Fixtures of the evaluation's tests; see known_faces for what they hold."""

from __future__ import annotations

import pytest

from tests.textedit_core.evaluation.known_faces import BrightnessJudges, NoiseGroups


@pytest.fixture(scope="module")
def judges() -> BrightnessJudges:
    """Judges that read brightness."""
    return BrightnessJudges()


@pytest.fixture(scope="module")
def groups() -> NoiseGroups:
    """Sixteen groups of eight people at 32 px."""
    return NoiseGroups()
