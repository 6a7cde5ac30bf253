"""The iOS app as far as no compiler is needed: the Xcode project opens, what it names is there, texts are translated, nothing calls home.

The Swift sources are compiled, tested and checked by `make ios`.
"""

from __future__ import annotations

import json
import plistlib
import re
from pathlib import Path
from typing import Any

import pytest
from pbxproj import XcodeProject

from export.backends import coreml
from export.embed import PROJECTS

# Where SwiftUI takes a text that it looks up in the catalogue; the first argument is the key.
_TEXTS = (
    "Text",
    "Button",
    "Label",
    "ProgressView",
    "Section",
    "Toggle",
    "LabeledContent",
    "Menu",
    "ShareLink",
    "SharePreview",
    "ContentUnavailableView",
    "alert",
    "navigationTitle",
    "accessibilityLabel",
    r"String\(\s*localized:",
)


@pytest.fixture(scope="module")
def folder(repository: Path) -> Path:
    return repository / "ios_demo" / "GalleryDemo"


@pytest.fixture(scope="module")
def project(folder: Path) -> XcodeProject:
    return XcodeProject.load(str(folder / "GalleryDemo.xcodeproj" / "project.pbxproj"))


def _settings(project: XcodeProject) -> dict[str, set[str]]:
    """All values of each build setting."""
    found: dict[str, set[str]] = {}
    for configuration in project.objects.get_objects_in_section("XCBuildConfiguration"):
        for key in configuration.buildSettings.get_keys():
            found.setdefault(key, set()).add(str(configuration.buildSettings[key]))
    return found


def test_every_file_of_the_project_is_there(project: XcodeProject, folder: Path) -> None:
    sections = ("PBXFileReference", "PBXFileSystemSynchronizedRootGroup")
    paths = [each.path for each in project.objects.get_objects_in_section(*sections) if each.sourceTree == "<group>"]
    packages = [each.relativePath for each in project.objects.get_objects_in_section("XCLocalSwiftPackageReference")]
    assert set(paths) == {"App", "Embedded"} and packages == ["../.."]
    for path in [*paths, *packages]:
        assert (folder / path).is_dir(), path
    assert (folder / packages[0] / "Package.swift").is_file()


def test_every_reference_inside_the_project_has_its_object(project: XcodeProject, folder: Path) -> None:
    text = (folder / "GalleryDemo.xcodeproj" / "project.pbxproj").read_text("utf8")
    defined = {each.get_id() for each in project.objects.get_objects_in_section(*project.objects.get_sections())}
    assert set(re.findall(r"\bA[0-9A-F]{23}\b", text)) == set(map(str, defined))


def test_the_products_that_the_app_links_are_those_of_the_package(project: XcodeProject, repository: Path) -> None:
    linked = {each.productName for each in project.objects.get_objects_in_section("XCSwiftPackageProductDependency")}
    package = (repository / "Package.swift").read_text("utf8")
    assert linked == set(re.findall(r'\.library\(name: "(\w+)"', package))


def test_the_scheme_is_of_the_projects_target(project: XcodeProject, folder: Path) -> None:
    scheme = (folder / "GalleryDemo.xcodeproj" / "xcshareddata" / "xcschemes" / "GalleryDemo.xcscheme").read_text("utf8")
    (target,) = project.objects.get_objects_in_section("PBXNativeTarget")
    assert set(re.findall(r'BlueprintIdentifier="(\w+)"', scheme)) == {str(target.get_id())}


def test_the_settings_fit_what_the_bundles_need(project: XcodeProject) -> None:
    settings = _settings(project)
    (oldest,) = settings["IPHONEOS_DEPLOYMENT_TARGET"]
    assert float(oldest) >= float(coreml.BACKEND.min_os.removeprefix("iOS "))
    assert settings["SWIFT_VERSION"] == {"6.0"}
    # Anything that rewrote the golden picture on the way into the app would break its hash.
    assert settings["COMPRESS_PNG_FILES"] == {"NO"}


def test_the_app_looks_for_the_bundle_where_it_is_embedded(folder: Path) -> None:
    place = PROJECTS["ios"].place
    assert place.parent.as_posix() == "GalleryDemo/Embedded" and place.name == "model.textedit"
    sources = "".join(path.read_text("utf8") for path in (folder / "App").glob("*.swift"))
    for name in (place.stem, place.suffix.removeprefix("."), place.parent.name):
        assert f'"{name}"' in sources


def _catalogue(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / "App" / name).read_text("utf8"))["strings"]


def test_every_text_is_in_the_catalogue_and_in_chinese(folder: Path) -> None:
    strings = _catalogue(folder, "Localizable.xcstrings")
    assert {_key(text) for text in _texts(folder / "App")} == set(strings)
    for key, entry in strings.items():
        chinese = entry["localizations"]["zh-Hans"]["stringUnit"]
        assert chinese["state"] == "translated" and chinese["value"].strip()
        assert sorted(_places(chinese["value"])) == sorted(_places(key)), key


def _texts(sources: Path) -> list[str]:
    text = r'"((?:[^"\\\n]|\\\((?:[^()"\n]|"[^"\n]*")*\)|\\[^(])*)"'
    call = rf"(?:{'|'.join(_TEXTS)})\(?\s*{text}"
    return [text for path in sources.glob("*.swift") for text in re.findall(call, path.read_text("utf8"))]


def _key(text: str) -> str:
    """What SwiftUI makes of a text with values in it."""
    with_format = re.sub(r'\\\([^()]*?specifier: "(%[^"]+)"\)', r"\1", text)
    return re.sub(r"\\\([^()]*\)", "%@", with_format)


def _places(text: str) -> list[str]:
    return re.findall(r"%(?:\d\$)?([\d.]*[@fd])", text)


def test_what_the_system_shows_is_translated_and_set(folder: Path, project: XcodeProject) -> None:
    settings = _settings(project)
    for key, entry in _catalogue(folder, "InfoPlist.xcstrings").items():
        english = entry["localizations"]["en"]["stringUnit"]["value"]
        assert settings[f"INFOPLIST_KEY_{key}"] == {english}
        assert entry["localizations"]["zh-Hans"]["stringUnit"]["value"].strip()


def test_the_privacy_manifest_says_that_nothing_leaves_the_phone(folder: Path) -> None:
    manifest = plistlib.loads((folder / "App" / "PrivacyInfo.xcprivacy").read_bytes())
    assert manifest["NSPrivacyTracking"] is False
    assert manifest["NSPrivacyTrackingDomains"] == manifest["NSPrivacyCollectedDataTypes"] == []
    # APIs for which Apple wants a reason, by the names that would show their use.
    reasons = re.compile(r"UserDefaults|@AppStorage|systemUptime|mach_absolute_time|volumeAvailableCapacity|creationDate|modificationDate")
    assert manifest["NSPrivacyAccessedAPITypes"] == []
    for path in folder.parent.rglob("*.swift"):
        assert not reasons.search(path.read_text("utf8")), path


def test_no_source_can_reach_a_network(folder: Path) -> None:
    network = re.compile(r"URLSession|URLRequest|import Network\b|NWConnection|CFSocket|WebKit|https?://")
    for path in folder.parent.rglob("*.swift"):
        assert not network.search(path.read_text("utf8")), path
    assert not list(folder.rglob("*.entitlements"))
