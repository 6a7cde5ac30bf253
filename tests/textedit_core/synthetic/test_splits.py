"""Who trains and who tests follows from the person's number alone."""

from __future__ import annotations

from collections import Counter

import pytest

from textedit_core.synthetic.splits import SPLITS, split_of


def test_of_twenty_people_eighteen_train() -> None:
    assert Counter(split_of(identity) for identity in range(200)) == {"train": 180, "validation": 10, "test": 10}
    assert (split_of(18), split_of(19), split_of(20), split_of(39)) == ("validation", "test", "train", "test")
    assert set(SPLITS) == {"train", "validation", "test"}


def test_negative_people_do_not_exist() -> None:
    with pytest.raises(ValueError, match="-1"):
        split_of(-1)
