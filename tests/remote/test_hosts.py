"""What is taken for a host: nothing that ssh, or a shell that it starts, could take for anything else."""

import pytest

from dmtui.remote.hosts import MOST_HOSTS, checked_host, groups_of, resolve_hosts
from dmtui.settings import load_settings
from dmtui.thinpool.errors import BadUsageError

GROUPS = {"web": ("web1", "web2"), "all": ("web1", "web2", "root@db1")}


@pytest.mark.parametrize(
    "text",
    [
        "web1", "web1.example.org", "root@db1", "10.0.0.7", "::1", "fe80::1%eth0", "[::1]", "my_alias", "a@b@host",
        "ssh://web1", "ssh://root@web1:2222", "ssh://root@[::1]:2222".removesuffix(":2222"), "192.168.1.1", "user+x@h",
    ],
)  # fmt: skip
def test_names_of_hosts_are_taken_as_they_are(text):
    assert checked_host(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "-oProxyCommand=touch /tmp/x", "-l", "--", "root@-oProxyCommand=x", "-x@web1", "ssh://-oProxyCommand=x",
        "ssh://root@-x", "web1 -v", "web1;id", "$(id)", "`id`", "web1|id", "web1&", "web1\nweb2", "web1\0", "we\tb",
        "web'1", 'web"1', "web\\1", "../x", "web1/etc", "{a,b}", "web*", "~root", "\x1b[2J", "wéb", "a" * 256, "@web1",
    ],
)  # fmt: skip
def test_what_could_be_anything_else_is_refused_in_one_printable_line(text):
    with pytest.raises(BadUsageError) as caught:
        checked_host(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_a_group_stands_for_its_hosts_and_each_host_comes_once():
    assert resolve_hosts(["@web", "db1", "@all", "web1"], GROUPS) == ("web1", "web2", "db1", "root@db1")


def test_an_unknown_group_names_those_that_there_are():
    with pytest.raises(BadUsageError, match="there are @web, @all"):
        resolve_hosts(["@wbe"], GROUPS)
    with pytest.raises(BadUsageError, match=r"\[hosts\] of the configuration"):
        resolve_hosts(["@wbe"], {})


def test_there_is_an_end_to_how_many():
    names = [f"web{number}" for number in range(MOST_HOSTS + 1)]
    assert len(resolve_hosts(names[1:], {})) == MOST_HOSTS
    with pytest.raises(BadUsageError, match=str(MOST_HOSTS)):
        resolve_hosts(names, {})


@pytest.mark.parametrize(
    "table",
    ["web1", ["web1"], {"a b": ["web1"]}, {"-a": ["web1"]}, {"a": "web1"}, {"a": []}, {"a": [1]}, {"a": ["-x"]}],
)
def test_a_table_that_is_none_is_refused(table):
    with pytest.raises(BadUsageError):
        groups_of(table, "key hosts")


def test_groups_come_from_the_configuration_and_the_far_command_from_there_or_the_environment(tmp_path):
    directory = tmp_path / "dmtui"
    directory.mkdir()
    (directory / "config.toml").write_text('remote_command = "sudo -n dmtui"\n[hosts]\nweb = ["web1", "web2"]\n')
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    settings = load_settings(environment, {})
    assert settings.hosts == {"web": ("web1", "web2")}
    assert settings.remote_command == "sudo -n dmtui"
    assert load_settings(environment | {"DMTUI_REMOTE_COMMAND": "/x/dmtui"}, {}).remote_command == "/x/dmtui"
    (directory / "config.toml").write_text('[hosts]\nweb = ["-oProxyCommand=x"]\n')
    with pytest.raises(BadUsageError, match="no name of a host"):
        load_settings(environment, {})
