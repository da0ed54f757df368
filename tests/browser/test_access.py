"""Who may come in, rule by rule."""

import pytest

from dmtui.browser.access import Access, is_same_origin, names_of


def test_two_runs_share_no_secret():
    one, other = Access(()), Access(())
    assert one.token != other.token
    assert one.cookie_name != other.cookie_name
    assert one.cookie_value != other.cookie_value
    assert one.token != one.cookie_value


def test_a_token_has_at_least_256_random_bits():
    assert len(Access(()).token) >= 43  # base64 of 32 bytes


def test_a_token_lets_in_once():
    access = Access(())
    token = access.token
    assert access.redeem(token)
    assert not access.redeem(token)
    assert access.redeem(access.token)


@pytest.mark.parametrize("given", ["", "x", "ä", "\udcff", "\0", "a" * 100_000])
def test_what_is_no_token_lets_nobody_in_and_uses_nothing_up(given):
    access = Access(())
    token = access.token
    assert not access.redeem(given)
    assert not access.knows_cookie(given)
    assert access.token == token


def test_a_token_with_something_behind_it_is_none():
    access = Access(())
    assert not access.redeem(access.token + "=")
    assert not access.redeem(access.token[:-1])


def test_token_and_cookie_are_not_taken_for_each_other():
    access = Access(())
    assert not access.redeem(access.cookie_value)
    assert not access.knows_cookie(access.token)
    assert access.knows_cookie(access.cookie_value)


def test_secrets_are_compared_in_constant_time(monkeypatch):
    asked = []
    monkeypatch.setattr("hmac.compare_digest", lambda one, other: asked.append((one, other)) or one == other)
    access = Access(())
    access.redeem("guess")
    access.knows_cookie("guess")
    assert asked == [(b"guess", access.token.encode()), (b"guess", access.cookie_value.encode())]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8000",
        "127.0.0.1",
        "[::1]:8000",
        "[::1]",
        "192.0.2.7:80",
        "localhost:9000",
        "LOCALHOST",
        "nas",
        "nas.:1",
    ],
)
def test_addresses_and_our_names_are_our_hosts(host):
    assert Access(("localhost", "nas")).is_our_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example#127.0.0.1",
        "evil.example/127.0.0.1",
        "user@localhost",
        "localhost:port",
        "localhost:99999",
        "[::1",
        "::1",
        "localhost\\evil.example",
        "2130706433",
        "0x7f.1",
    ],
)
def test_no_other_name_is_our_host_whatever_it_resolves_to(host):
    assert not Access(("localhost", "nas")).is_our_host(host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://localhost:9000", "localhost:9000"),
        ("https://dm.example", "dm.example"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://NAS:8000", "nas:8000"),
    ],
)
def test_a_page_of_this_server_is_of_the_same_origin(origin, host):
    assert is_same_origin(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.example", "127.0.0.1:8000"),
        ("http://127.0.0.1:9000", "127.0.0.1:8000"),  # another program's port on this very machine
        ("http://localhost:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1", "127.0.0.1:8000"),
        ("null", "127.0.0.1:8000"),
        ("", ""),
        ("http://", ""),
        ("file://127.0.0.1:8000", "127.0.0.1:8000"),
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000.evil.example", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", "127.0.0.1:8000"),
    ],
)
def test_every_other_page_is_of_another_origin(origin, host):
    assert not is_same_origin(origin, host)


def test_our_names_are_this_machine_s_and_those_that_were_allowed(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "nas")
    assert names_of("192.0.2.7", ("dm.example",)) == ("localhost", "nas", "192.0.2.7", "dm.example")
