"""How long the kernel lets writers wait for space: a parameter of its module, where that is loaded."""

import pytest

from dmtui.machine.kernel import device_mapper
from dmtui.machine.kernel.device_mapper import KernelDeviceMapper


@pytest.mark.parametrize(("text", "seconds"), [("60\n", 60), ("0\n", 0), ("soon\n", None), (None, None)])
def test_it_is_what_the_module_says(tmp_path, monkeypatch, text, seconds):
    path = tmp_path / "no_space_timeout"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr(device_mapper, "_NO_SPACE_TIMEOUT", path)
    unopened = object.__new__(KernelDeviceMapper)
    assert unopened.no_space_timeout_seconds() == seconds
