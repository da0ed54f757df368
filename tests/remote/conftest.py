"""A fake ssh in PATH, and the word that none of its processes is left."""

import pytest

from tests.remote.fakessh import FakeSsh, path_with, until


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    fake = FakeSsh(tmp_path / "fake")
    monkeypatch.setenv("PATH", path_with(fake.directory))
    yield fake
    until(lambda: not fake.alive, what="the end of every ssh")
