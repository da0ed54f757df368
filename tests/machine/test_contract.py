"""The contract is one: each of its tests runs on both machines, and none is skipped on either."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

CONTRACT = Path(__file__).parent / "contract"
ROOT = Path(__file__).parents[2]
LEFT_OUT = {"skip", "skipif", "xfail", "importorskip"}


@pytest.fixture(scope="module")
def collected() -> list[str]:
    """The names of all tests of the contract, those of the kernel among them."""
    words = [sys.executable, "-m", "pytest", "--collect-only", "-m", "", "-n0", "-p", "no:cacheprovider", str(CONTRACT)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "::" in line]


def of(machine: str, names: list[str]) -> set[str]:
    """The tests that run on one machine, by names that are the same for both."""
    found = {name for name in names if f"[{machine}]" in name or f"[{machine}-" in name}
    return {name.replace(f"[{machine}", "[", 1) for name in found}


def test_every_test_of_the_contract_runs_on_both_machines(collected):
    assert of("emulated", collected) == of("kernel", collected)
    assert len(of("kernel", collected)) * 2 == len(collected) > 400


@pytest.mark.parametrize("path", sorted(CONTRACT.glob("*.py")), ids=lambda path: path.name)
def test_no_test_of_the_contract_is_skipped_or_expected_to_fail(path):
    tree = ast.parse(path.read_text())
    named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    named |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not named & LEFT_OUT


@pytest.mark.parametrize("path", sorted(CONTRACT.glob("test_*.py")), ids=lambda path: path.name)
def test_no_test_of_the_contract_looks_which_machine_it_is(path):
    attributes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
    assert not [node.lineno for node in attributes if node.attr in ("kind", "description") and is_machine(node.value)]


def is_machine(node: ast.expr) -> bool:
    return (node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")) == "machine"
