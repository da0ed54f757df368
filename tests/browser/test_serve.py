"""The command `dmtui serve`, in a process of its own and with real dashboards."""

import asyncio
import os
import signal
import socket
import subprocess
import sys

import aiohttp
import psutil
import pytest

from dmtui.cli import main
from dmtui.cli.parser import build_parser
from dmtui.cli.serving import child_words
from tests.browser.visiting import children, gone, serving, visitor


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    for key in [key for key in os.environ if key.startswith("DMTUI_")]:
        monkeypatch.delenv(key)
    for key in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(key, str(tmp_path / key))


@pytest.fixture
def machine(tmp_path):
    """Options for an emulated machine whose directory no shell would pass on as it is."""
    return ["--machine", "emulated", "--emulated-dir", str(tmp_path / 'it\'s $(one) "dir"; &')]


def words_of(*words):
    return list(child_words(build_parser().parse_args(words)))[4:]


async def let_in(client, address):
    async with client.get(address) as answer:
        assert answer.status == 200
    return address.partition("/?")[0]


async def dashboard(client, base):
    return await client.ws_connect(f"{base}/ws?width=120&height=40", origin=base)


async def shows(socket, *texts):
    """Wait until the dashboard has drawn all the texts; gives everything that it has drawn until then."""
    drawn = b""
    async with asyncio.timeout(60):
        while not all(text.encode() in drawn for text in texts):
            drawn += (await socket.receive()).data
    return drawn.decode()


class TestADashboardsOptions:
    def test_are_those_of_the_server(self):
        given = [
            "--machine",
            "emulated",
            "--graph",
            "/a b",
            "--storage-opt",
            "dm.fs=ext4",
            "--storage-opt=dm.mkfsarg=-x",
        ]
        timeouts = ["--busy-timeout", "3", "--udev-timeout", "4"]
        assert words_of(*given, "--interval", "2", "--ascii", "serve", *timeouts) == [
            "--machine=emulated",
            "--graph=/a b",
            "--storage-opt=dm.fs=ext4",
            "--storage-opt=dm.mkfsarg=-x",
            "--busy-timeout=3.0",
            "--udev-timeout=4.0",
            "--interval=2.0",
            "--ascii",
            "--read-only",
        ]

    def test_may_stand_behind_the_command_too(self):
        assert words_of("serve", "--emulated-dir=-x", "--interval", "2") == [
            "--emulated-dir=-x",
            "--interval=2.0",
            "--read-only",
        ]

    def test_are_read_only_unless_changes_are_allowed(self):
        assert words_of("serve") == ["--read-only"]
        assert words_of("serve", "--allow-changes") == []

    def test_leave_out_what_concerns_the_server_alone(self):
        assert words_of("serve", "--host", "::1", "--port", "1", "--sessions", "2", "--allow-host", "x") == [
            "--read-only"
        ]

    def test_are_understood_by_the_dashboard(self):
        words = words_of("--machine", "emulated", "--storage-opt", "dm.fs=ext4", "serve")
        assert build_parser().parse_args(words).storage_opt == ("dm.fs=ext4",)

    def test_do_not_import_what_lies_where_the_server_was_started(self):
        assert child_words(build_parser().parse_args(["serve"]))[1] == "-P"


class TestTheServer:
    async def test_prints_its_address_alone_and_ends_by_ctrl_c_with_its_dashboards(self, machine):
        async with serving(*machine, "serve", "--port", "0") as (process, address), visitor() as client:
            assert address.startswith("http://127.0.0.1:")
            socket = await dashboard(client, await let_in(client, address))
            drawn = await shows(socket, "READ-ONLY", "EMULATED", "worker")
            assert address not in drawn
            (child,) = children(process)
            process.send_signal(signal.SIGINT)
            out, err = await asyncio.wait_for(process.communicate(), 30)
            assert process.returncode == 0
            await gone(child, 1)
            assert out.decode().startswith(address.partition("=")[0])  # the next browser's address, and nothing else
            assert out.count(b"\n") == 1
            assert "serving read-only, 8 browsers at most" in err.decode()
            assert "a browser at 127.0.0.1 was let in" in err.decode()

    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
    async def test_ends_in_order_when_it_is_told_to(self, machine, how):
        async with serving(*machine, "serve", "--port", "0") as (process, address), visitor() as client:
            await shows(await dashboard(client, await let_in(client, address)), "worker")
            (child,) = children(process)
            process.send_signal(how)
            assert await asyncio.wait_for(process.wait(), 30) == 0
            await gone(child, 1)

    async def test_leaves_no_dashboard_behind_when_it_is_killed(self, machine):
        async with serving(*machine, "serve", "--port", "0") as (process, address), visitor() as client:
            base = await let_in(client, address)
            for socket in [await dashboard(client, base) for _ in range(3)]:
                await shows(socket, "worker")
            left = children(process)
            assert len(left) == 3
            process.kill()
            for child in left:
                await gone(child)

    async def test_ends_a_dashboard_that_is_killed_from_outside_with_its_session_only(self, machine):
        async with serving(*machine, "serve", "--port", "0") as (process, address), visitor() as client:
            base = await let_in(client, address)
            one, other = await dashboard(client, base), await dashboard(client, base)
            await shows(one, "worker")
            children(process)[0].kill()
            await shows(other, "worker")
            async with asyncio.timeout(30):
                while (await one.receive()).type is aiohttp.WSMsgType.BINARY:
                    pass
            await other.send_json(["stdin", "?"])
            await shows(other, "What the figures mean")

    async def test_shows_its_secrets_to_no_other_process_and_in_no_message(self, machine):
        async with serving(*machine, "serve", "--port", "0") as (process, address), visitor() as client:
            base = await let_in(client, address)
            for path in ("/nothing", f"/?{address.partition('?')[2]}x", "/ws?width=%ff"):
                await client.get(base + path)
            await shows(await dashboard(client, base), "worker")
            (child,) = children(process)
            public = []
            for each in (psutil.Process(process.pid), child):
                public += [*each.cmdline(), *each.environ().values()]
            process.terminate()
            out, err = await process.communicate()
            next_address = out.decode().strip()
            (cookie,) = client.cookie_jar
            for secret in (address.partition("=")[2], next_address.partition("=")[2], cookie.value):
                assert len(secret) >= 43
                assert secret not in "".join(public)
                assert secret not in err.decode()

    async def test_offers_changes_where_they_are_allowed(self, machine):
        async with (
            serving(*machine, "serve", "--port", "0", "--allow-changes") as (process, address),
            visitor() as client,
        ):
            socket = await dashboard(client, await let_in(client, address))
            assert "READ-ONLY" not in await shows(socket, "worker", "Screens")
            process.terminate()
            assert b"serving with changes allowed" in (await process.communicate())[1]

    async def test_hands_on_what_the_environment_says_once(self, machine):
        environment = {"DMTUI_STORAGE_OPT": "dm.min_free_space=10%", "LC_ALL": "C", "TERM": "dumb"}
        async with (
            serving(*machine, "serve", "--port", "0", environment=environment) as (process, address),
            visitor() as client,
        ):
            drawn = await shows(await dashboard(client, await let_in(client, address)), "worker")
            assert "─" in drawn  # a browser has Unicode, whatever the server's terminal has
            (child,) = children(process)
            assert child.environ()["DMTUI_STORAGE_OPT"] == "dm.min_free_space=10%"
            assert not [word for word in child.cmdline() if "storage-opt" in word]

    async def test_warns_loudly_where_other_machines_can_reach_it(self, machine):
        async with serving(*machine, "serve", "--port", "0", "--host", "0.0.0.0") as (process, address):
            assert "0.0.0.0" not in address
            process.terminate()
            told = (await process.communicate())[1].decode()
        assert "WARNING: other machines reach 0.0.0.0, and there is NO TLS" in told
        assert "ssh -L" in told

    async def test_does_not_warn_on_loopback_also_by_its_other_address(self, machine):
        async with serving(*machine, "serve", "--port", "0", "--host", "127.0.0.2") as (process, address):
            assert address.startswith("http://127.0.0.2:")
            process.terminate()
            assert b"WARNING" not in (await process.communicate())[1]


class TestAMistake:
    @pytest.mark.parametrize(
        ("words", "status", "told"),
        [
            (["--host", ""], 2, "option --host: does not take an empty name"),
            (["--host", "no such host"], 2, "host no such host: is no address of this machine"),
            (["--host", "192.0.2.1"], 2, "host 192.0.2.1: is no address of this machine"),
            (["--port", "70000"], 2, "option --port: does not take 70000"),
            (["--port", "-1"], 2, "option --port: does not take -1"),
            (["--port", "x"], 2, "--port"),
            (["--sessions", "0"], 2, "option --sessions: does not take 0"),
            (["--storage-opt", "dm.nothing=1"], 2, "dm.nothing"),
            (["--allow-changes", "--read-only"], 2, "option --allow-changes: contradicts read_only"),
        ],
    )
    def test_is_one_clear_line(self, machine, capsys, words, status, told):
        assert main([*machine, "serve", *words]) == status
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert told in err

    def test_is_a_port_that_is_in_use(self, machine, capsys):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            assert main([*machine, "serve", "--port", str(port)]) == 1
        told = f"port {port} of 127.0.0.1: is in use; end what listens there, or choose another one with --port"
        assert capsys.readouterr() == ("", f"dmtui: {told}\n")

    def test_is_to_allow_changes_where_the_environment_forbids_them(self, machine, capsys, monkeypatch):
        monkeypatch.setenv("DMTUI_READ_ONLY", "1")
        assert main([*machine, "serve", "--allow-changes"]) == 2
        assert "DMTUI_READ_ONLY" in capsys.readouterr().err

    def test_is_to_serve_where_the_extra_is_not_installed(self, machine, capsys, monkeypatch):
        monkeypatch.setattr("dmtui.cli.serving.find_spec", lambda _: None)
        assert main([*machine, "serve"]) == 1
        told = "dmtui serve: is not installed; `pip install 'dmtui[serve]'` adds it\n"
        assert capsys.readouterr() == ("", told)

    def test_is_told_before_any_browser_comes_where_the_machine_refuses_us(self, capsys, monkeypatch):
        from dmtui.thinpool.errors import NotPermittedError

        def refuse(*_):
            raise NotPermittedError("device-mapper", "refuses us", "be root")

        monkeypatch.setattr("dmtui.cli.session.choose_machine", refuse)
        assert main(["serve"]) == 4
        assert capsys.readouterr().err == "dmtui: device-mapper: refuses us; be root\n"


def test_the_other_commands_do_without_an_http_server():
    look = "import sys, dmtui.cli; dmtui.cli.main(['emulator']); print({'aiohttp', 'textual_serve'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", look], capture_output=True, text=True).stdout == "set()\n"
