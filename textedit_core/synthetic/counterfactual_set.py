"""Reads counterfactual groups: a person's photo and the exact answers to edits. The shipped set opens without a path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from textedit_core.errors import UserError
from textedit_core.synthetic.shards import Sample, read_index, read_listed_shard

INDEX_NAME = "counterfactuals.json"
FORMAT_VERSION = 1
SHIPPED_FOLDER = Path(__file__).with_name("counterfactuals")
SOURCE = "source"


@dataclass(frozen=True)
class Member:
    """One picture of a group.

    Attributes:
        image: [S, S, 3] uint8 sRGB.
        attributes: what it shows, as `synthetic.attributes.attributes` says.
        figure: [S, S] bool, where the person and not the backdrop is seen.
        landmarks: [5, 2] float64 pixels: left eye, right eye, nose, left and right corner of the mouth as seen in the image.
    """

    image: NDArray[np.uint8]
    attributes: dict[str, Any]
    figure: NDArray[np.bool_]
    landmarks: NDArray[np.float64]


@dataclass(frozen=True)
class CounterfactualGroup:
    """One person: the source and, by edit, the partner that differs from it in that attribute only."""

    identity: int
    source: Member
    partners: dict[str, Member]


class CounterfactualSet:
    """Groups in their order; pictures are decoded when a group is asked for.

    Attributes:
        edits: names of the partners that every group has.
        resolution: image side S in pixels.
        index: counterfactuals.json.
    """

    def __init__(self, index: dict[str, Any], samples: list[Sample], source: str) -> None:
        """Takes what `open` has read and checked."""
        self.index, self._samples, self._source = index, samples, source
        self.edits: tuple[str, ...] = tuple(index["edits"])
        self.resolution: int = index["resolution"]

    @classmethod
    def open(cls, path: Path | None = None) -> CounterfactualSet:
        """Opens a set and checks every shard against its hash.

        Args:
            path: a folder written by `render_counterfactuals` or `ship`; None is the copy that ships with this package.

        Raises:
            UserError: the set is missing, unfinished or damaged.
        """
        folder = SHIPPED_FOLDER if path is None else Path(path)
        index = read_index(folder, INDEX_NAME, FORMAT_VERSION)
        samples = [sample for entry in index["shards"] for sample in read_listed_shard(folder, entry).values()]
        if len(samples) != index["groups"]:
            raise UserError(f"{str(folder)!r} holds {len(samples)} groups, but its index says {index['groups']}; render it again")
        return cls(index, samples, str(folder))

    def __len__(self) -> int:
        return len(self._samples)

    def __iter__(self) -> Iterator[CounterfactualGroup]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> CounterfactualGroup:
        """Decodes a group.

        Raises:
            IndexError: there is no such group.
            UserError: the group is damaged.
        """
        sample = self._samples[number]
        try:
            label = json.loads(sample["json"])
            figures = np.asarray(Image.open(BytesIO(sample["figures.png"])), bool).reshape(-1, self.resolution, self.resolution)
            # The figures are in the order of the members.
            figure_of = dict(zip(label["members"], figures, strict=True))
            members = {
                name: self._member(sample, name, label["members"][name], figure_of[name]) for name in (SOURCE, *self.edits)
            }
        except (KeyError, ValueError, IndexError, OSError) as error:
            raise UserError(f"group {number} of {self._source!r} is damaged ({error}); render the set again") from None
        return CounterfactualGroup(label["identity"], members[SOURCE], {name: members[name] for name in self.edits})

    def files(self, number: int) -> Sample:
        """Returns the stored files of a group by extension: NAME.png or NAME.jpg, figures.png, json."""
        return self._samples[number]

    def _member(self, sample: Sample, name: str, label: dict[str, Any], figure: NDArray[np.bool_]) -> Member:
        with Image.open(BytesIO(sample[f"{name}.{self.index['picture']}"])) as picture:
            image = np.asarray(picture.convert("RGB"))
        return Member(image, label["attributes"], figure, np.array(label["landmarks"], np.float64))
