"""Puts a bundle where a phone project expects it, so that the app that is built next carries it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from export.bundle import open_bundle, staged
from textedit_core.errors import UsageError


@dataclass(frozen=True)
class Project:
    """Where a kind of phone project keeps its bundle.

    Attributes:
        marker: a file that tells such a project, below its folder.
        place: where the app looks for the bundle, below that folder.
    """

    marker: PurePosixPath
    place: PurePosixPath


# By the target whose bundles the project takes.
PROJECTS: dict[str, Project] = {
    "android": Project(PurePosixPath("settings.gradle.kts"), PurePosixPath("app/src/main/assets/model.textedit")),
    "ios": Project(
        PurePosixPath("GalleryDemo/GalleryDemo.xcodeproj/project.pbxproj"), PurePosixPath("GalleryDemo/Embedded/model.textedit")
    ),
}


def require_project(target: str, folder: Path) -> None:
    """Refuses a folder that takes no bundle of a target, before anything is made for it.

    Raises:
        UsageError: there is no project for this target, or the folder is not one.
    """
    if target not in PROJECTS:
        raise UsageError(f"--embed takes one target that has a project: {', '.join(PROJECTS)}; not {target!r}")
    marker = PROJECTS[target].marker
    if not (folder / marker).is_file():
        raise UsageError(f"{str(folder)!r} is not a project for {target}: it has no {marker}; give {target}_demo or a copy of it")


def embed(bundle: Path, folder: Path) -> Path:
    """Copies a bundle, signature and all, into a project; what was embedded there stays until the copy is whole and checked.

    Returns:
        Where the copy lies.

    Raises:
        UsageError: the folder is not a project for the bundle's target.
        UserError: the bundle is damaged, or the folder cannot be written.
    """
    with open_bundle(bundle) as opened:
        require_project(opened.manifest.target, folder)
        place = folder / PROJECTS[opened.manifest.target].place
        with staged(place) as root:
            shutil.copytree(opened.root, root, dirs_exist_ok=True)
            with open_bundle(root):
                pass
        return place
