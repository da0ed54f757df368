"""The table [alerts]: what it takes, and one clear line for everything else."""

import pytest

from dmtui.monitor.thresholds import Thresholds, thresholds_of
from dmtui.settings import load_settings
from dmtui.thinpool.errors import BadUsageError


@pytest.fixture
def settings(tmp_path):
    """Settings from the text of a configuration file."""
    (tmp_path / "dmtui").mkdir()

    def load(text, **environment):
        (tmp_path / "dmtui" / "config.toml").write_text(text)
        return load_settings({"XDG_CONFIG_HOME": str(tmp_path), **environment}, {})

    return load


def test_without_a_table_the_defaults_hold(settings):
    assert settings("interval = 2").alerts == Thresholds()


def test_what_the_table_sets_holds_and_the_rest_keeps_its_default(settings):
    alerts = settings("[alerts]\ndata_percent = [50, 60.5, 70]\nhours_to_full = [48, 2]\npolls = 3").alerts
    assert alerts == Thresholds(data_percent=(50, 60.5, 70), hours_to_full=(48, 2), polls=3)


def test_the_docstring_of_the_settings_shows_the_defaults(settings):
    import dmtui.settings

    table = dmtui.settings.__doc__.split("::")[-1]
    assert settings("\n".join(line.strip() for line in table.splitlines())).alerts == Thresholds()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alerts = 7", "key alerts: does not take 7; it takes a table"),
        ("[alerts]\ncolour = 1", "key alerts.colour: is unknown; known are data_percent, "),
        (
            "[alerts]\ndata_percent = [80, 70, 90]",
            "key alerts.data_percent: does not take [80, 70, 90]; it takes three",
        ),
        ("[alerts]\nmetadata_percent = [1, 2]", "alerts.metadata_percent"),
        ("[alerts]\nhost_missing_percent = [1, 2, 101]", "alerts.host_missing_percent"),
        ("[alerts]\ndata_percent = 80", "alerts.data_percent"),
        ("[alerts]\ndata_percent = [true, true, true]", "alerts.data_percent"),
        ("[alerts]\ndata_percent = [nan, 1, 2]", "alerts.data_percent"),
        ("[alerts]\nhours_to_full = [1, 24]", "alerts.hours_to_full: does not take [1, 24]; it takes two numbers"),
        ("[alerts]\nhysteresis_points = -1", "alerts.hysteresis_points"),
        ("[alerts]\npolls = 0", "alerts.polls: does not take 0; it takes a whole number from 1 to 60"),
        ("[alerts]\npolls = 2.5", "alerts.polls"),
    ],
)
def test_a_mistake_names_the_key_and_what_it_takes(settings, text, words):
    with pytest.raises(BadUsageError) as raised:
        settings(text)
    assert words in str(raised.value)
    assert "config.toml" in str(raised.value)


def test_the_environment_has_no_table(settings):
    with pytest.raises(BadUsageError, match="it takes a table"):
        settings("", DMTUI_ALERTS="95")


def test_thresholds_can_be_read_from_anywhere():
    assert thresholds_of({}, "here") == Thresholds()
