"""The Android project's sources, as far as they can be judged without Gradle: syntax, names, resources, permissions, versions."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from importlib.metadata import requires
from pathlib import Path
from xml.etree import ElementTree

import pytest
import tree_sitter_kotlin
from tree_sitter import Language, Node, Parser

from export.backends import xnnpack
from export.embed import PROJECTS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ANDROID = "{http://schemas.android.com/apk/res/android}"
TOOLS = "{http://schemas.android.com/tools}"
DEMO = Path(__file__).resolve().parents[2] / "android_demo"
APP = DEMO / "app/src/main"
# What no compiler sees here; core and engine are compiled by android_demo/check.
UNCOMPILED = sorted([*APP.rglob("*.kt"), *(DEMO / "ui").rglob("*.kt"), *DEMO.rglob("*.gradle.kts")])
XML_FILES = sorted(APP.rglob("*.xml"))


@lru_cache
def parsed(path: Path) -> Node:
    return Parser(Language(tree_sitter_kotlin.language())).parse(path.read_bytes()).root_node


def named(path: Path) -> str:
    return str(path.relative_to(DEMO))


def faults(node: Node) -> list[str]:
    if node.is_missing or node.type == "ERROR":
        return [f"line {node.start_point.row + 1}: {(node.text or b'')[:60]!r}"]
    return [fault for child in node.children if child.has_error or child.is_missing for fault in faults(child)]


@pytest.mark.parametrize("path", UNCOMPILED, ids=named)
def test_kotlin_parses(path: Path) -> None:
    assert faults(parsed(path)) == []


def test_a_fault_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "broken.kt").write_text("fun broken( { val x = }")
    assert faults(parsed(tmp_path / "broken.kt"))


def app_text() -> str:
    return "\n".join(path.read_text("utf8") for path in sorted((APP / "kotlin").rglob("*.kt")))


# What a declaration's first words name: a type, a property or a function, the latter two maybe of a receiver.
DECLARATION = re.compile(
    r"\b(?:class|interface|object|val)\s+(?:\w+\.)?(?P<type>\w+)|\bfun\s+(?!interface\b)(?:<[^>]*>\s*)?(?:\w+\.)*(?P<function>\w+)",
)


def declared(module: str) -> set[str]:
    """Names that other modules can import: what stands at the top level and is neither private nor internal."""
    names: set[str] = set()
    for path in (DEMO / module / "src/main").rglob("*.kt"):
        for node in parsed(path).children:
            modifiers = next((child for child in node.children if child.type == "modifiers"), None)
            hidden = modifiers is not None and re.search(rb"\b(private|internal)\b", modifiers.text or b"")
            found = DECLARATION.search(re.split(rb"[{=]", node.text or b"", maxsplit=1)[0].decode())
            if found and not hidden:
                names.add(found["type"] or found["function"])
    return names


@pytest.mark.parametrize("module", ["core", "engine", "ui"])
def test_the_app_imports_what_the_modules_offer(module: str) -> None:
    imported = set(re.findall(rf"^import textedit\.{module}\.(\w+)$", app_text(), re.MULTILINE))
    assert imported and imported <= declared(module)


@pytest.mark.parametrize("path", XML_FILES, ids=named)
def test_xml_is_well_formed(path: Path) -> None:
    ElementTree.parse(path)


def strings(folder: str) -> dict[str, str]:
    root = ElementTree.parse(APP / "res" / folder / "strings.xml").getroot()
    entries = [(entry.attrib["name"], entry.text or "") for entry in root.findall("string")]
    assert len(dict(entries)) == len(entries), f"{folder} repeats a name"
    return dict(entries)


def test_both_languages_say_the_same_with_the_same_placeholders() -> None:
    english, chinese = strings("values"), strings("values-zh-rCN")
    assert english.keys() == chinese.keys()
    for name, text in english.items():
        assert sorted(re.findall(r"%\d\$[.\d]*[a-z]", text)) == sorted(re.findall(r"%\d\$[.\d]*[a-z]", chinese[name])), name
        assert re.search("[\u4e00-\u9fff]", chinese[name]) or not re.search("[a-z]{3}", text), f"{name} is not translated"


def resources() -> set[tuple[str, str]]:
    """Kind and name of everything below res/."""
    found = {(path.parent.name.split("-")[0], path.stem) for path in (APP / "res").rglob("*.xml")}
    for path in (APP / "res").glob("values*/*.xml"):
        found |= {(entry.tag, entry.attrib["name"]) for entry in ElementTree.parse(path).getroot()}
    return found


def test_every_resource_that_is_named_exists_and_every_string_is_named() -> None:
    used = set(re.findall(r"\bR\.(\w+)\.(\w+)", app_text()))
    for path in XML_FILES:
        used |= {(kind, name.replace(".", "_")) for kind, name in re.findall(r'"@(\w+)/([\w.]+)"', path.read_text("utf8"))}
    existing = {(kind, name.replace(".", "_")) for kind, name in resources()}
    assert used <= existing
    assert {name for kind, name in existing if kind == "string"} <= {name for kind, name in used if kind == "string"}


def shown_text() -> str:
    """The sources of the app and of the module that other apps take."""
    return "\n".join(path.read_text("utf8") for path in sorted((DEMO / "ui").rglob("*.kt"))) + app_text()


def test_no_text_for_people_stands_in_the_code() -> None:
    # Signs mean the same in every language, and so does what is filled in; words do not.
    shown = [re.sub(r"\$(\w+|\{[^}]*\})", "", text) for text in re.findall(r'\bText\("(.*?)"', shown_text())]
    assert [text for text in shown if re.search(r"[^\W\d_]", text)] == []


def manifest() -> ElementTree.Element:
    return ElementTree.parse(APP / "AndroidManifest.xml").getroot()


def test_the_app_asks_for_no_permission_and_takes_the_network_out() -> None:
    asked = {entry.attrib[f"{ANDROID}name"]: entry.attrib.get(f"{TOOLS}node") for entry in manifest().iter("uses-permission")}
    assert asked == {"android.permission.INTERNET": "remove", "android.permission.ACCESS_NETWORK_STATE": "remove"}
    assert not list((DEMO / "engine/src/main").glob("AndroidManifest.xml"))


def test_components_exist_and_only_the_launcher_is_open_to_all() -> None:
    classes = set(re.findall(r"^class (\w+)", app_text(), re.MULTILINE))
    application = next(manifest().iter("application"))
    activities = {entry.attrib[f"{ANDROID}name"]: entry for entry in application.findall("activity")}
    own = {application.attrib[f"{ANDROID}name"], *activities}
    assert all(name.startswith(".") and name[1:] in classes for name in own)
    exported = {name: entry for name, entry in activities.items() if entry.get(f"{ANDROID}exported") == "true"}
    assert {name for name, entry in exported.items() if not entry.get(f"{ANDROID}permission")} == {".MainActivity"}
    assert all(entry.get(f"{ANDROID}exported") == "false" for entry in application.findall("provider"))


def catalogue() -> dict[str, dict]:
    return tomllib.loads((DEMO / "gradle/libs.versions.toml").read_text("utf8"))


def test_the_catalogue_is_complete_and_nothing_in_it_is_idle() -> None:
    versions, libraries, plugins = (catalogue()[table] for table in ("versions", "libraries", "plugins"))
    entries = [*libraries.values(), *plugins.values()]
    references = {entry["version"]["ref"] for entry in entries if "version" in entry}
    scripts = "\n".join(path.read_text("utf8") for path in DEMO.rglob("*.gradle.kts"))
    named_versions = {name.removesuffix(".get").replace(".", "-") for name in re.findall(r"libs\.versions\.([\w.]+)\(", scripts)}
    assert references | named_versions == set(versions)
    named_plugins = {name.replace(".", "-") for name in re.findall(r"libs\.plugins\.([\w.]+)", scripts)}
    assert named_plugins == set(plugins)
    named_libraries = {name.replace(".", "-") for name in re.findall(r"\(libs\.(?!versions|plugins)([\w.]+)", scripts)}
    assert named_libraries == set(libraries)


def test_the_app_runs_the_executorch_that_its_files_are_made_with() -> None:
    made_with = next(line for line in requires("textedit") or [] if line.startswith(xnnpack.BACKEND.package))
    wanted = made_with.split("~=")[1].split(";")[0].split(".")[:2]
    assert catalogue()["versions"]["executorch"].split(".")[:2] == wanted


def test_libraries_are_published_at_the_projects_version() -> None:
    project = tomllib.loads((DEMO.parent / "pyproject.toml").read_text("utf8"))["project"]["version"]
    assert f'version = "{project}"' in (DEMO / "build.gradle.kts").read_text("utf8")
    assert f'"textedit:textedit-engine:{project}"' in (DEMO / "README.md").read_text("utf8")


def test_the_oldest_system_is_the_one_that_bundles_name() -> None:
    assert f"(API {catalogue()['versions']['min-sdk']})" in xnnpack.BACKEND.min_os


def test_the_app_looks_for_its_bundle_where_the_exporter_puts_it() -> None:
    assets, name = PROJECTS["android"].place.parent, PROJECTS["android"].place.name
    assert DEMO / assets == APP / "assets"
    assert re.search(r'BUNDLE_ASSET = "(.*)"', app_text()).group(1) == name
    assert f"src/main/assets/{name}/bundle.json" in (DEMO / "app/build.gradle.kts").read_text("utf8")


def test_no_fetched_binary_is_kept() -> None:
    assert [path for path in DEMO.rglob("*") if path.suffix in {".jar", ".aar", ".so", ".apk"} and "build" not in path.parts] == []
