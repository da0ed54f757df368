"""What the painters say, as text."""

import dataclasses

import pytest

from dmtui.monitor.sample import Backing
from dmtui.thinpool.sizes import SizeStyle, format_share
from dmtui.tui.actions import Situation
from dmtui.tui.figures import Density, Level, Look, age, data_level, metadata_level, pool_level
from dmtui.tui.glyphs import ASCII, UNICODE, needs_ascii
from dmtui.tui.history import Trend
from dmtui.tui.lines import text_of, width_of
from dmtui.tui.paint.backing import backing_lines
from dmtui.tui.paint.facts import facts_lines, findings_lines
from dmtui.tui.paint.gauge import bar, chart, small_bar
from dmtui.tui.paint.help import figures_lines, keys_lines
from dmtui.tui.paint.space import SpaceView, space_lines
from dmtui.tui.widgets.key_bar import key_lines
from tests.tui import samples

LOOK = Look()
COMPACT = Look(density=Density.COMPACT)
NO_HISTORY = Trend()


def drawn(fraction, width=20, glyphs=ASCII, **more):
    return text_of([bar(fraction, width, glyphs, "data", **more)])


class TestGauges:
    def test_an_empty_gauge_an_almost_empty_one_and_a_full_one_differ(self):
        assert drawn(0.0) == "." * 20
        assert drawn(0.0001) == "#" + "." * 19
        assert drawn(1.0) == "#" * 20

    def test_an_almost_full_gauge_is_not_drawn_full(self):
        assert drawn(0.999) == "#" * 19 + "."

    def test_parts_of_a_cell_are_drawn_where_the_signs_allow(self):
        assert drawn(0.5 + 0.5 / 20, glyphs=UNICODE) == "██████████▌─────────"

    def test_thresholds_are_marked_while_they_are_free(self):
        assert drawn(0.5, thresholds=(0.25, 0.75)) == "##########.....|...."

    def test_the_reserve_is_drawn_apart_at_the_end_and_never_overdrawn(self):
        assert drawn(0.5, reserve=0.1) == "##########........%%"
        assert drawn(1.0, reserve=0.1) == "##################%%"

    def test_unknown_is_not_empty(self):
        assert drawn(None) == "?" * 20

    @pytest.mark.parametrize("fraction", [0, 0.01, 0.3, 0.75, 0.999, 1.0, 1.5])
    @pytest.mark.parametrize("width", [1, 7, 40])
    def test_gauges_have_exactly_their_width(self, fraction, width):
        for spans in (
            bar(fraction, width, UNICODE, "data", thresholds=(0.5,), reserve=0.05),
            small_bar(fraction, width, UNICODE, "data"),
        ):
            assert width_of(spans) == width


class TestHistory:
    def test_the_axis_is_fixed_from_0_to_100(self):
        high = text_of(chart(Trend((0.72, 0.73, 0.72), 2), 3, 1, UNICODE, "data"))
        low = text_of(chart(Trend((0.02, 0.03, 0.02), 2), 3, 1, UNICODE, "data"))
        assert (high, low) == ("▆▆▆", "▁▁▁")

    def test_the_newest_is_at_the_right_and_the_unknown_is_a_gap(self):
        assert text_of(chart(Trend((0.1, None, 1.0), 2), 5, 1, ASCII, "data")) == "  _ #"

    def test_a_chart_has_its_guides_where_it_is_empty(self):
        rows = text_of(chart(Trend((0.2, 0.2), 1), 4, 4, ASCII, "data", guides=(0.8,))).split("\n")
        assert rows == ["----", "", "", "  ++"]


class TestLevels:
    @pytest.mark.parametrize(
        ("used", "level"),
        [(0.74, Level.OK), (0.76, Level.WATCH), (0.86, Level.WARN), (0.93, Level.CRIT), (1.0, Level.CRIT)],
    )
    def test_data(self, used, level):
        assert data_level(samples.docker_pool(used)) is level

    @pytest.mark.parametrize(
        ("live", "level"), [(0.59, Level.OK), (0.61, Level.WATCH), (0.71, Level.WARN), (0.81, Level.CRIT)]
    )
    def test_metadata_above_the_reserve(self, live, level):
        assert metadata_level(samples.docker_pool(live_metadata=live)) is level

    def test_an_empty_pool_with_small_metadata_is_ok_although_a_tenth_is_reserve(self):
        pool = samples.docker_pool()
        small = dataclasses.replace(pool.metadata, used_bytes=111 * 4096, total_bytes=1024 * 4096)
        assert metadata_level(dataclasses.replace(pool, metadata=small)) is Level.OK

    def test_the_worst_counts_for_the_pool(self):
        assert pool_level(samples.docker_pool()) is Level.OK
        assert pool_level(samples.deleted_file_pool()) is Level.WARN
        for pool in (samples.failed_pool(), samples.damaged_pool(), samples.full_pool()):
            assert pool_level(pool) is Level.CRIT

    def test_a_share_is_rounded_down_so_that_only_a_full_pool_says_100(self):
        assert [format_share(x) for x in (None, 0.0, 0.42, 0.99999, 1.0)] == [
            "?",
            "0.0 %",
            "42.0 %",
            "99.9 %",
            "100.0 %",
        ]

    @pytest.mark.parametrize(
        ("seconds", "expected"), [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (3600, "1 h")]
    )
    def test_age(self, seconds, expected):
        assert age(seconds) == expected


class TestPool:
    def test_every_fact_is_there(self):
        text = text_of(facts_lines(samples.docker_pool(), LOOK, 54))
        for fact in (
            "docker-8:1-4718594-pool", "docker", "rw", "65.54 kB", "91", "2.147 GB free, 32768 blocks",
            "queue_if_no_space", "discard_passdown", "no",
        ):  # fmt: skip
            assert fact in text

    def test_every_fact_but_the_meaning_is_there_in_a_narrow_screen(self):
        text = text_of(facts_lines(samples.docker_pool(), COMPACT, 76))
        for fact in ("rw", "docker", "65.54 kB", "91", "2.147 GB", "queue_if_no_space", "discard_passdown"):
            assert fact in text
        assert "…" not in text

    def test_unknown_facts_are_question_marks(self):
        text = text_of(facts_lines(samples.failed_pool(), LOOK, 54))
        assert text.count("?") == 4

    def test_needs_check_is_a_word_and_a_sign(self):
        assert "✖ needs_check" in text_of(facts_lines(samples.damaged_pool(), LOOK, 54))

    def test_space_has_the_numbers_of_the_original(self):
        view = SpaceView(samples.docker_pool(0.42), NO_HISTORY, NO_HISTORY)
        text = text_of(space_lines(view, LOOK, 54))
        for figure in ("45.1 GB used of 107.4 GB", "48 GB available", "42.0 %", "ok", "▒ 16.78 MB reserve"):
            assert figure in text
        assert "42 GiB used of 100 GiB" in text_of(space_lines(view, Look(SizeStyle.BINARY), 54))

    @pytest.mark.parametrize("density", Density)
    @pytest.mark.parametrize("width", [30, 54, 76, 116])
    def test_space_fits_its_width(self, density, width):
        view = SpaceView(samples.full_pool(), Trend((0.5,) * 90, 90), Trend((0.2,) * 90, 90))
        for spans in space_lines(view, Look(density=density), width):
            assert width_of(spans) <= width

    def test_findings_beyond_the_room_are_counted(self):
        lines = text_of(findings_lines(tuple("abcdef"), COMPACT, 40))
        assert lines == "▲ a\n  and 5 more"


class TestBacking:
    def test_a_loop_file_with_its_sizes_and_its_host(self):
        text = text_of(backing_lines(("Data", samples.docker_pool().data_backing), LOOK, 60))
        for figure in (
            "/dev/loop0",
            "/devicemapper/data",
            "107.4 GB apparent",
            "45.1 GB allocated",
            "48 GB free of 250",
        ):
            assert figure in text

    @pytest.mark.parametrize("look", [LOOK, COMPACT])
    def test_a_deleted_file_is_told_in_a_word(self, look):
        text = text_of(backing_lines(("Data", samples.deleted_file_pool().data_backing), look, 76))
        assert "✖ DELETED" in text

    @pytest.mark.parametrize("look", [LOOK, COMPACT])
    def test_a_disk_is_no_loop_file(self, look):
        text = text_of(backing_lines(("Data", samples.lvm_pool().data_backing), look, 76))
        assert "sdb1, sdc1" in text

    def test_the_unknown_is_a_question_mark(self):
        unknown = Backing("7:9", None, loop_file="/x")
        assert "? apparent, ? allocated" in text_of(backing_lines(("Data", unknown), LOOK, 60))


class TestKeysAndHelp:
    def test_the_bottom_line_fits_80_cells_and_ends_with_a_whole_entry(self):
        text = text_of(key_lines(Situation(has_pools=True), LOOK, 80))
        assert len(text) <= 80
        assert text.endswith(("< > Pace", "b Units", "^p Palette"))

    def test_every_action_has_its_line_in_the_help(self):
        from dmtui.tui.actions import ACTIONS

        text = " ".join(text_of(keys_lines(Situation(), LOOK, 200)).split())
        for action in ACTIONS:
            assert action.help in text

    @pytest.mark.parametrize(
        ("situation", "second"),
        [
            (Situation(), "Everywhere"),
            (Situation(replays=True), "In a recording"),
            (Situation(demonstrates=True), "In a demonstration"),
            (Situation(hosts=2), "With --host"),
        ],
    )
    def test_keys_of_a_recording_stand_high_up_in_one_and_last_elsewhere(self, situation, second):
        lines = text_of(keys_lines(situation, LOOK, 76)).splitlines()
        headings = [line for before, line in zip(["", *lines], lines, strict=False) if not before.strip()]
        only = ["In a recording", "In a demonstration", "With --host"]
        assert headings[:2] == ["This screen", second]
        last = [heading for heading in only if heading != second]
        assert sorted(headings[-len(last) :]) == sorted(last)

    def test_every_figure_is_explained(self):
        text = text_of(figures_lines((), LOOK, 80))
        for figure in ("needs check", "transaction", "low water", "available", "Metadata", "MAPPED", "OPEN", "?"):
            assert f"\n{figure}" in f"\n{text}"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"LC_ALL": "C.UTF-8"}, False),
        ({"LANG": "de_DE.utf8"}, False),
        ({"LC_CTYPE": "UTF-8"}, False),
        ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, True),
        ({"TERM": "linux", "LANG": "en_US.UTF-8"}, True),
    ],
)
def test_ascii_signs_where_the_terminal_asks_for_them(environment, expected):
    assert needs_ascii(environment) is expected


def test_ascii_pictures_have_nothing_but_ascii():
    look = Look(glyphs=ASCII)
    pool = samples.damaged_pool()
    view = SpaceView(pool, Trend((0.5, 0.9), 2), Trend((0.5, 0.9), 2))
    lines = facts_lines(pool, look, 30) + space_lines(view, look, 40) + findings_lines(("long " * 30,), look, 40)
    assert text_of(lines).isascii()
