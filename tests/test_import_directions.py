"""Who may import whom, read from the syntax tree: core knows no phone, SDKs load only where they are used, names say what lives there."""

from __future__ import annotations

import ast
import graphlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("textedit_core", "export", "benchmarks")
SDKS = {"executorch", "coremltools", "onnx", "onnxruntime", "onnxscript"}
SDK_HOMES = ("export/backends/", "export/mil_reference.py", "benchmarks/")
# Face recognisers come as ONNX files. One module of core runs them, to measure on the machine that evaluates, never on a phone.
CORE_SDK_HOMES = {"textedit_core/evaluation/onnx_recogniser.py": {"onnx", "onnxruntime"}}
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "base"}
# Core from the bottom to the top; a module imports only what stands on its own step or below.
CORE_STEPS = (
    {"errors"},
    {"names", "hashing", "psnr", "exchange", "file_lock", "atomic"},
    {"pixels", "photos", "latents", "alignment", "pasting", "html_page", "photo_pairs", "optical_flow"},
    {"decoder", "encoder", "editor", "compositor", "face_networks", "prompts", "reference_prompts", "perception"},
    {"config"},
    {"losses", "checkpoints", "synthetic"},
    {"training", "open_networks", "face_editor"},
    {"edit_photos", "edit_journal", "photo_batch", "photo_sheet"},
    {"judges"},
    {"evaluation"},
    {"release"},
    {"commands"},
    {"__main__"},
)


def _modules(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def _imports(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


def _imports_on_load(tree: ast.Module) -> Iterator[str]:
    inside = {id(child) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for child in ast.walk(node)}
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    yield from (name for name, node in _imports(tree) if id(node) not in inside | typing_only)


def _import_graph() -> dict[str, set[str]]:
    """Which module imports which, wherever the import stands: on loading, in a function, for type checkers alone."""
    modules = {_dotted(path): path for path in _modules(*PACKAGES)}
    graph = {}
    for module, path in modules.items():
        names = {name for name, _ in _imports(ast.parse(path.read_text("utf8")))}
        # What is imported is a module, or a name in the module before the last dot.
        imported = {name if name in modules else name.rpartition(".")[0] for name in names}
        graph[module] = (imported & modules.keys()) - {module}
    return graph


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _circles(graph: dict[str, set[str]]) -> list[str]:
    """One path per circle, found one after the other; each is cut where it closes before the next is looked for."""
    graph, found = {module: set(imported) for module, imported in graph.items()}, []
    while True:
        try:
            graphlib.TopologicalSorter(graph).prepare()
            return found
        except graphlib.CycleError as error:
            # Each module of the path is imported by the next one.
            path = error.args[1]
            found.append(" <- ".join(path))
            graph[path[1]].discard(path[0])


def test_no_imports_run_in_a_circle() -> None:
    assert _circles(_import_graph()) == []


def test_circles_are_named() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": {"d"}}
    assert {frozenset(circle.split(" <- ")) for circle in _circles(graph)} == {frozenset("abc"), frozenset("de")}
    assert _circles({"a": {"b"}, "b": set()}) == []


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", _modules("textedit_core"), ids=_name)
def test_core_knows_neither_export_nor_phones(path: Path) -> None:
    imported = {name.split(".")[0] for name, _ in _imports(ast.parse(path.read_text("utf8")))}
    assert not imported & {"export", "benchmarks"}
    assert imported & SDKS <= CORE_SDK_HOMES.get(_name(path), set())


@pytest.mark.parametrize("path", _modules("export"), ids=_name)
def test_export_does_not_know_the_benchmarks(path: Path) -> None:
    assert "benchmarks" not in {name.split(".")[0] for name, _ in _imports(ast.parse(path.read_text("utf8")))}


@pytest.mark.parametrize("path", _modules("export", "benchmarks"), ids=_name)
def test_sdks_stay_at_home(path: Path) -> None:
    used = {name.split(".")[0] for name, _ in _imports(ast.parse(path.read_text("utf8")))} & SDKS
    assert not used or _name(path).startswith(SDK_HOMES)


@pytest.mark.parametrize("path", _modules(*PACKAGES), ids=_name)
def test_sdks_load_late(path: Path) -> None:
    tree = ast.parse(path.read_text("utf8"))
    assert not {name.split(".")[0] for name in _imports_on_load(tree)} & SDKS


@pytest.mark.parametrize("path", _modules("textedit_core"), ids=_name)
def test_core_imports_downwards(path: Path) -> None:
    step_of = {name: number for number, names in enumerate(CORE_STEPS) for name in names}
    parts = path.relative_to(ROOT / "textedit_core").with_suffix("").parts
    if parts == ("__init__",):
        return
    assert parts[0] in step_of, f"give {parts[0]} a step in CORE_STEPS"
    for name, _ in _imports(ast.parse(path.read_text("utf8"))):
        if name.startswith("textedit_core."):
            assert step_of[name.split(".")[1]] <= step_of[parts[0]], name


@pytest.mark.parametrize("path", _modules(*PACKAGES), ids=_name)
def test_module_names_say_what_lives_there(path: Path) -> None:
    parts = set(path.relative_to(ROOT).with_suffix("").parts)
    assert not parts & NAMELESS
    # A module called like a library shadows it in tracebacks and searches; only the standard names of packages may, and backends,
    # which are called like what they lower for.
    excused = path.stem.startswith("__") or path.parent.name == "backends"
    assert excused or path.stem not in SDKS | {"torch", "timm", "numpy"} | set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", _modules(*PACKAGES), ids=_name)
def test_what_is_imported_exists(path: Path) -> None:
    """Also for type checkers alone: mypy passes over modules that it does not find, since some SDKs have no types."""
    for name, _ in _imports(ast.parse(path.read_text("utf8"))):
        if name.split(".")[0] in PACKAGES:
            home, _, leaf = name.rpartition(".")
            file = ROOT.joinpath(*home.split(".")).with_suffix(".py")
            source = file if file.is_file() else ROOT.joinpath(*home.split("."), "__init__.py")
            known = ROOT.joinpath(*name.split(".")).with_suffix(".py").is_file() or ROOT.joinpath(*name.split("."), "__init__.py").is_file()
            assert known or (source.is_file() and leaf in _top_level_names(source)), name


def _top_level_names(source: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text("utf8"))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
