"""The limits of CONTRIBUTING.md, counted."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "src").rglob("*.py"))
FORBIDDEN_NAMES = {"utils", "util", "helpers", "common", "misc", "core", "manager"}
MARK = re.compile(r"# size: \S+")


def identify(path):
    return str(path.relative_to(ROOT))


def functions(tree):
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(function):
    """Count the lines of a body without its docstring."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def parameters(function):
    """Name what a caller must think of: not self, cls, *args or **kwargs."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [a.arg for a in every if a.arg not in ("self", "cls")]


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_a_module_keeps_the_limits_of_size(path):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    tree = ast.parse(text)
    assert len(lines) <= 500 or MARK.search(lines[0])
    for function in functions(tree):
        where = f"{identify(path)}:{function.lineno} {function.name}"
        if any(MARK.search(line) for line in lines[function.lineno - 1 : function.body[0].lineno]):
            continue
        assert body_lines(function) <= 40, f"{where}: {body_lines(function)} lines"
        names = parameters(function)
        is_command = any("click" in ast.unparse(d) for d in function.decorator_list)
        assert len(names) <= 5 or is_command, f"{where}: {len(names)} parameters"


def test_no_module_or_folder_has_a_name_that_says_nothing():
    places = [path.relative_to(ROOT / "src").with_suffix("") for path in MODULES]
    assert not {part for place in places for part in place.parts} & FORBIDDEN_NAMES


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_every_module_says_what_it_owns_and_what_it_exports(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "a module starts with a docstring"
    exports = [
        node
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    if path.name not in ("__init__.py", "__main__.py"):
        assert len(exports) == 1, "a module has one __all__; ruff keeps it sorted"


def test_no_tracked_file_names_an_index_or_a_path_of_a_machine():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    suspicious = re.compile(r"(?:extra-)?index-url|find-links\s*=|file:///|/root/|pypi\.org/simple")
    for name in listed:
        path = ROOT / name
        if path.suffix in {".lock", ".toml", ".cfg", ".ini", ".yaml", ".yml", ".json"}:
            found = suspicious.search(path.read_text(encoding="utf-8"))
            assert not found, f"{name} names {found.group()}"


def test_the_root_of_the_repository_holds_nothing_unexpected():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    files = {name for name in listed if "/" not in name and not name.startswith(".")}
    assert files <= {
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "compose.yaml",
        "pyproject.toml",
    }
