"""The door and the socket, asked over HTTP; a stand-in plays the dashboard."""

import asyncio
import json

import aiohttp
import psutil
import pytest

from tests.browser.visiting import STANDIN, gone, hears, served, started, visitor

EVERYTHING = ["/", "/ws", "/page/page.js", "/static/js/textual.js", "/static/css/xterm.css", "/nothing"]


def our_children():
    return [child for child in psutil.Process().children() if is_ours(child)]


def is_ours(child):
    try:
        return STANDIN[1] in child.cmdline()
    except psutil.NoSuchProcess:  # ended, also where nobody has heard of it yet
        return False


class TestTheDoor:
    @pytest.mark.parametrize("path", EVERYTHING)
    async def test_without_token_nothing_is_given_out_and_nothing_started(self, path):
        async with served() as site, visitor() as client:
            async with client.get(site.base + path) as answer:
                assert answer.status == 401
                assert "Open the address that `dmtui serve` printed" in await answer.text()
                assert not answer.cookies
            assert our_children() == []

    @pytest.mark.parametrize("token", ["", "wrong", "%ff", "%00", "a" * 4000])
    async def test_a_wrong_token_is_a_plain_refusal(self, token):
        async with served() as site, visitor() as client:
            async with client.get(f"{site.base}/?token={token}", allow_redirects=False) as answer:
                assert answer.status == 401
                assert not answer.cookies
            assert site.guests == []

    async def test_the_socket_without_token_starts_nothing(self):
        async with served() as site, visitor() as client:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
                await site.connect(client)
            assert our_children() == []

    async def test_a_token_in_the_socket_s_address_does_not_open_it(self):
        async with served() as site, visitor() as client:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
                await site.connect(client, f"?token={site.access.token}")

    async def test_the_token_is_exchanged_for_a_cookie_that_scripts_and_other_sites_do_not_get(self):
        async with served() as site, visitor() as client:
            async with client.get(site.address, allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (303, "/")
                (cookie,) = answer.cookies.values()
                assert cookie["httponly"]
                assert cookie["samesite"] == "Strict"
                assert cookie["max-age"] == cookie["expires"] == cookie["domain"] == ""
            assert site.guests == ["127.0.0.1"]
            async with client.get(site.base) as answer:
                assert answer.status == 200
                assert 'class="textual-terminal"' in await answer.text()

    async def test_a_used_address_such_as_one_from_a_browser_s_history_lets_nobody_else_in(self):
        async with served() as site, visitor() as client, visitor() as other:
            used = site.address
            await client.get(used)
            async with other.get(used, allow_redirects=False) as answer:
                assert answer.status == 401
                assert "was used" in await answer.text()
            async with client.get(used) as answer:  # whoever came in with it may come back to it
                assert answer.status == 200
            async with other.get(site.address) as answer:
                assert answer.status == 200

    async def test_asking_for_the_head_alone_does_not_use_up_the_token(self):
        async with served() as site, visitor() as client:
            async with client.head(site.address) as answer:
                assert answer.status == 401
            async with client.get(site.address) as answer:
                assert answer.status == 200

    async def test_a_cookie_of_another_value_is_none(self):
        async with served() as site, visitor() as client:
            client.cookie_jar.update_cookies({site.access.cookie_name: "wrong"})
            async with client.get(site.base) as answer:
                assert answer.status == 401

    @pytest.mark.parametrize("path", EVERYTHING)
    async def test_a_foreign_host_name_is_refused_even_with_the_cookie(self, path):
        async with (
            served() as site,
            site.guest() as client,
            client.get(site.base + path, headers={"Host": "evil.example"}) as answer,
        ):
            assert answer.status == 403

    async def test_a_foreign_host_name_is_refused_even_with_the_token_which_stays_unused(self):
        async with served() as site, visitor() as client:
            async with client.get(site.address, headers={"Host": "evil.example"}) as answer:
                assert answer.status == 403
            assert site.guests == []

    @pytest.mark.parametrize("path", EVERYTHING)
    async def test_a_foreign_origin_is_refused_even_with_the_cookie(self, path):
        async with (
            served() as site,
            site.guest() as client,
            client.get(site.base + path, headers={"Origin": "http://evil.example"}) as answer,
        ):
            assert answer.status == 403

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", ""])
    async def test_a_socket_from_a_foreign_page_is_refused_and_starts_nothing(self, origin):
        async with served() as site, site.guest() as client:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await site.connect(client, origin=origin)
            assert our_children() == []

    async def test_a_socket_that_no_page_opens_is_refused(self):
        async with served() as site, site.guest() as client:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await site.connect(client, origin=None)
            assert our_children() == []

    async def test_the_socket_s_address_is_no_page(self):
        async with (
            served() as site,
            site.guest() as client,
            client.get(f"{site.base}/ws", headers={"Origin": site.base}) as answer,
        ):
            assert answer.status == 400
            assert our_children() == []

    async def test_another_name_of_ours_and_another_port_as_through_a_tunnel_are_let_in(self):
        async with served() as site, site.guest() as client:
            headers = {"Host": "localhost:9000"}
            async with client.get(site.base, headers=headers) as answer:
                assert answer.status == 200
            async with site.connect(client, headers=headers, origin="http://localhost:9000") as socket:
                await started(socket)

    @pytest.mark.parametrize("path", ["/", "/nothing", "/page/page.js", "/static/js/textual.js"])
    async def test_no_answer_may_be_framed_guessed_at_or_load_from_elsewhere(self, path):
        async with served() as site, site.guest() as client:
            for visiting in (client, visitor()):
                async with visiting, visiting.get(site.base + path) as answer:
                    policy = answer.headers["Content-Security-Policy"]
                    assert "default-src 'none'" in policy
                    assert "frame-ancestors 'none'" in policy
                    assert "://" not in policy
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"
                    assert answer.headers["Referrer-Policy"] == "no-referrer"
                    assert "aiohttp" not in answer.headers["Server"]

    async def test_nothing_beside_the_page_s_own_files_is_given_out(self):
        async with served() as site, site.guest() as client:
            for path in ("/page/", "/static/", "/page/%2e%2e/site.py", "/static/%2e%2e/server.py", "/page//etc/passwd"):
                async with client.get(site.base + path) as answer:
                    assert answer.status in (403, 404)

    async def test_the_page_names_no_other_server(self):
        async with served() as site, site.guest() as client:
            for path in ("/", "/page/page.css", "/page/page.js", "/static/css/xterm.css"):
                async with client.get(site.base + path) as answer:
                    page = await answer.text()
                    assert answer.status == 200
                    assert "src=" not in page or 'src="/' in page
                    for marker in ('="http', '="//', 'url("http', "url(http", "@import"):
                        assert marker not in page


class TestADashboard:
    async def test_it_has_the_size_that_the_page_asks_for(self):
        async with served() as site, site.guest() as client, site.connect(client, "?width=123&height=45") as socket:
            assert (await socket.receive()).data.endswith(b" 123x45")

    async def test_what_the_browser_says_reaches_it(self):
        async with served() as site, site.guest() as client, site.connect(client) as socket:
            await started(socket)
            await socket.send_json(["stdin", "grüße"])
            await hears(socket, "heard Dgrüße".encode())
            await socket.send_json(["resize", {"width": 10**9, "height": -7}])
            await hears(socket, b'heard M{"type": "resize", "width": 1000, "height": 1}')
            await socket.send_json(["blur"])
            await hears(socket, b'heard M{"type": "blur"}')
            await socket.send_json(["focus"])
            await hears(socket, b'heard M{"type": "focus"}')

    async def test_the_page_s_ping_is_answered(self):
        async with served() as site, site.guest() as client, site.connect(client) as socket:
            await started(socket)
            await socket.send_json(["ping", "7"])
            assert json.loads((await socket.receive()).data) == ["pong", "7"]

    async def test_it_ends_when_the_browser_goes(self):
        async with served() as site, site.guest() as client:
            async with site.connect(client) as socket:
                process = await started(socket)
            await gone(process)

    async def test_it_ends_when_the_browser_vanishes_without_a_word(self):
        async with served() as site, site.guest() as client:
            socket = await site.connect(client)
            process = await started(socket)
            await client.close()
            await gone(process)

    @pytest.mark.parametrize("manner", ["deaf", "stuck", "flooding"])
    async def test_it_is_ended_also_when_it_does_not_listen(self, monkeypatch, manner):
        monkeypatch.setattr("dmtui.browser.child._GRACE_SECONDS", 0.5)
        async with served((*STANDIN, manner)) as site, site.guest() as client:
            async with site.connect(client) as socket:
                process = await started(socket)
            await gone(process)

    async def test_one_that_does_not_keep_up_is_ended_and_told_of(self, monkeypatch):
        monkeypatch.setattr("dmtui.browser.child._GRACE_SECONDS", 0.3)
        async with served((*STANDIN, "stuck")) as site, site.guest() as client, site.connect(client) as socket:
            process = await started(socket)
            for _ in range(30):
                await socket.send_json(["stdin", "p" * 60_000])
            assert b"does not keep up" in (await socket.receive(timeout=30)).data
            await gone(process)

    async def test_it_ends_when_the_browser_goes_also_while_it_is_far_behind(self, monkeypatch):
        monkeypatch.setattr("dmtui.browser.child._GRACE_SECONDS", 0.3)
        async with served((*STANDIN, "stuck")) as site, site.guest() as client:
            async with site.connect(client) as socket:
                process = await started(socket)
                for _ in range(10):
                    await socket.send_json(["stdin", "p" * 60_000])
            await gone(process, 3)

    async def test_it_can_end_in_its_own_way_although_nobody_looks_at_what_it_draws_meanwhile(self, tmp_path):
        async with served((*STANDIN, "drawing", str(tmp_path / "farewell"))) as site, site.guest() as client:
            socket = await site.connect(client)
            process = await started(socket)
            await client.close()
            await gone(process)
        assert (tmp_path / "farewell").exists()

    async def test_it_ends_with_the_server(self):
        async with served() as site, site.guest() as client:
            socket = await site.connect(client)
            process = await started(socket)
        await gone(process)

    async def test_quitting_in_it_closes_the_socket(self):
        async with served() as site, site.guest() as client, site.connect(client) as socket:
            process = await started(socket)
            await socket.send_json(["stdin", "q"])
            await hears(socket, b"heard Dq")
            assert (await socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
            await gone(process)

    async def test_why_it_failed_is_shown_where_it_would_have_been_and_cannot_move_a_cursor(self, capsys):
        async with served((*STANDIN, "failing")) as site, site.guest() as client, site.connect(client) as socket:
            shown = (await socket.receive(timeout=30)).data
            assert shown == b"\r\ndmtui: device-mapper: \\x1b[2J refuses; be root\r\n"
            assert (await socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
        told = capsys.readouterr().err
        assert told == "dmtui: a browser's dashboard: device-mapper: \\x1b[2J refuses; be root\n"

    async def test_a_program_that_cannot_be_started_is_told_of(self, capsys):
        async with served(("/no/such/program",)) as site, site.guest() as client, site.connect(client) as socket:
            assert b"cannot be started" in (await socket.receive(timeout=30)).data
        assert capsys.readouterr().err == "dmtui: a browser's dashboard: cannot be started: No such file or directory\n"

    async def test_its_arguments_are_taken_as_they_are_whatever_a_shell_would_do_with_them(self, tmp_path):
        evil = f"$(touch {tmp_path}/made) `touch {tmp_path}/made`; touch {tmp_path}/made & 'q\" *"
        show = "import os, sys; os.write(1, b'__GANGLION__\\nD\\0\\0' + len(sys.argv[1]).to_bytes(2, 'big') + "
        words = (STANDIN[0], "-c", show + "sys.argv[1].encode())", evil)
        async with served(words) as site, site.guest() as client, site.connect(client) as socket:
            assert (await socket.receive(timeout=30)).data.decode() == evil
        assert list(tmp_path.iterdir()) == []


class TestTooMuch:
    async def test_one_browser_more_than_there_are_places_is_told_so_and_starts_nothing(self):
        async with served(places=2) as site, site.guest() as client:
            async with site.connect(client) as one, site.connect(client) as two:
                for socket in (one, two):
                    await started(socket)
                async with site.connect(client) as three:
                    assert b"2 browsers are served already" in (await three.receive(timeout=30)).data
                    closing = await three.receive(timeout=30)
                    assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 1013)
                assert len(our_children()) == 2

    async def test_a_page_that_is_loaded_anew_gets_the_place_that_it_had(self):
        async with served(places=1) as site, site.guest() as client:
            for _ in range(3):
                async with site.connect(client) as socket:
                    await started(socket)

    async def test_hundreds_of_sockets_at_once_start_no_more_than_there_are_places(self):
        async with served(places=3) as site, site.guest() as client:
            sockets = await asyncio.gather(*(site.connect(client) for _ in range(300)))
            first = [(await socket.receive(timeout=60)).data for socket in sockets]
            assert sum(told.startswith(b"started") for told in first) == 3
            assert sum(b"3 browsers are served already" in told for told in first) == 297
            assert len(our_children()) == 3
            await asyncio.gather(*(socket.close() for socket in sockets))
            async with site.connect(client) as socket:
                await started(socket)

    @pytest.mark.parametrize("said", ["", "no json", "[]", '["quit"]', '["resize", "big"]', "[" * 60_000, b"\0\1\2"])
    async def test_garbage_ends_the_session_and_its_dashboard(self, said):
        async with served() as site, site.guest() as client, site.connect(client) as socket:
            process = await started(socket)
            await (socket.send_bytes(said) if isinstance(said, bytes) else socket.send_str(said))
            closing = await socket.receive(timeout=30)
            assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 1008)
            await gone(process)

    async def test_a_long_paste_arrives_whole(self):
        async with served() as site, site.guest() as client, site.connect(client) as socket:
            await started(socket)
            await socket.send_json(["stdin", "p" * 60_000])
            await hears(socket, b"p" * 60_000)

    async def test_a_huge_message_ends_the_session_and_its_dashboard(self):
        async with served() as site, site.guest() as client, site.connect(client) as socket:
            process = await started(socket)
            await socket.send_str("x" * 100_000)
            closing = await socket.receive(timeout=30)
            assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 1009)
            await gone(process)

    async def test_a_message_without_an_end_is_not_waited_for(self):
        async with served() as site, site.guest() as client, site.connect(client) as socket:
            process = await started(socket)
            with pytest.raises(ConnectionError):
                for _ in range(1000):
                    await socket.send_frame(b"x" * 1_000_000, aiohttp.WSMsgType.TEXT)
            await gone(process)
