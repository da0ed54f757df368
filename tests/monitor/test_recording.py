"""Recordings: what was written is read, whatever became of the writer, whoever the file is from."""

import gzip
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmtui.monitor import recorder as recorder_module
from dmtui.monitor import recording as recording_module
from dmtui.monitor.recorder import Header, Recorder, RecordingError
from dmtui.monitor.recording import Recording
from dmtui.monitor.sample import Sample
from dmtui.thinpool.errors import BadUsageError
from tests.monitor import made
from tests.monitor.made import NOW
from tests.monitor.test_sample import values_of

HEADER = Header("1.2.3", "emulated", "a machine", NOW, 1.0)
BOTH = pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"], ids=["plain", "compressed"])


def samples(count, start=NOW):
    return [made.sample(made.pool(0.001 * number), at=start + number) for number in range(count)]


def written(path, taken, close=True):
    recorder = Recorder(str(path), HEADER, force=True)
    for sample in taken:
        recorder.write(sample)
    if close:
        recorder.close()
    return recorder


def read(path):
    with Recording.open(str(path)) as recording:
        return [recording.at(index) for index in range(len(recording))], recording.findings


class TestRoundTrip:
    @BOTH
    @settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(taken=st.lists(values_of(Sample), max_size=4))
    def test_every_sample_comes_back(self, tmp_path, name, taken):
        dated = [sample for sample in taken if 0 <= sample.taken_at < 1e11]
        written(tmp_path / name, dated)
        assert read(tmp_path / name)[0] == dated

    @BOTH
    def test_the_header_says_what_it_is(self, tmp_path, name):
        written(tmp_path / name, samples(1))
        with Recording.open(str(tmp_path / name)) as recording:
            assert recording.header == HEADER
        opened = gzip.open if name.endswith("gz") else open
        with opened(tmp_path / name, "rt") as file:
            first = json.loads(file.readline())
        assert (first["kind"], first["version"], first["began"]) == (
            "dmtui recording", 1, "2026-07-24T13:33:20.000+00:00",
        )  # fmt: skip

    def test_it_takes_the_header_from_its_first_sample(self):
        header = Header.of(made.sample(), 2.5)
        assert (header.machine, header.began_at, header.interval_seconds) == ("emulated", NOW, 2.5)

    def test_the_compressed_form_is_a_gzip_file_and_much_smaller(self, tmp_path):
        taken = [made.sample(made.pool(devices=tuple(map(made.thin, range(50)))), at=NOW + n) for n in range(20)]
        written(tmp_path / "a", taken)
        written(tmp_path / "a.gz", taken)
        assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == (tmp_path / "a").read_bytes()
        assert (tmp_path / "a.gz").stat().st_size * 10 < (tmp_path / "a").stat().st_size

    def test_compression_is_told_by_the_content_not_by_the_name(self, tmp_path):
        written(tmp_path / "a.gz", samples(2))
        (tmp_path / "a.gz").rename(tmp_path / "a")
        assert len(read(tmp_path / "a")[0]) == 2


class TestTheFile:
    @BOTH
    def test_only_its_owner_reads_it(self, tmp_path, name):
        written(tmp_path / name, [])
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600

    def test_what_is_there_is_never_written_over_without_force(self, tmp_path):
        (tmp_path / "mine").write_text("precious")
        with pytest.raises(BadUsageError, match="is there already"):
            Recorder(str(tmp_path / "mine"), HEADER)
        assert (tmp_path / "mine").read_text() == "precious"
        Recorder(str(tmp_path / "mine"), HEADER, force=True).close()
        assert read(tmp_path / "mine") == ([], ())

    def test_what_is_no_file_is_not_written_over_even_with_force(self, tmp_path):
        (tmp_path / "link").symlink_to(tmp_path / "target")
        (tmp_path / "directory").mkdir()
        for name in ("link", "directory"):
            with pytest.raises(BadUsageError, match="no regular file"):
                Recorder(str(tmp_path / name), HEADER, force=True)
        assert not (tmp_path / "target").exists()

    @BOTH
    def test_a_full_disk_is_told_and_what_was_written_stays_readable(self, tmp_path, name, monkeypatch):
        recorder = written(tmp_path / name, samples(3), close=False)
        write_all = recorder_module._write_all

        def full(descriptor, content):
            write_all(descriptor, content[: len(content) // 2])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(recorder_module, "_write_all", full)
        with pytest.raises(RecordingError, match="No space left"):
            recorder.write(samples(1)[0])
        recorder.close()
        with pytest.raises(RecordingError, match="is closed"):
            recorder.write(samples(1)[0])
        taken, findings = read(tmp_path / name)
        assert taken == samples(3)
        assert findings == (() if name == "r.jsonl" else findings)

    def test_a_place_that_is_not_there_is_one_clear_error(self, tmp_path):
        with pytest.raises(RecordingError, match="cannot be written: No such file"):
            Recorder(str(tmp_path / "no" / "file"), HEADER)
        with pytest.raises(RecordingError, match="cannot be read: No such file"):
            Recording.open(str(tmp_path / "none"))


class TestTornFiles:
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(cut=st.floats(0, 1), packed=st.booleans())
    def test_wherever_it_is_cut_every_whole_sample_before_is_read(self, tmp_path, cut, packed):
        path = tmp_path / ("t.gz" if packed else "t")
        written(path, samples(8), close=False)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(cut * len(whole))])
        try:
            taken, findings = read(path)
        except RecordingError:
            assert cut < 0.6  # not even the header is there
            return
        assert taken == samples(8)[: len(taken)]
        if not packed:
            assert bool(findings) is (path.read_bytes()[-1:] != b"\n" and taken != samples(8))

    @BOTH
    def test_a_killed_recorder_leaves_what_it_has_written(self, tmp_path, name):
        path = tmp_path / name
        program = textwrap.dedent(f"""
            import sys, time
            from tests.monitor.test_recording import *
            recorder = Recorder({str(path)!r}, HEADER)
            for sample in samples(5):
                recorder.write(sample)
            print("written", flush=True)
            time.sleep(60)
        """)
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=os.getcwd())
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        process.stdout.close()
        taken, findings = read(path)
        assert taken == samples(5)
        assert len(findings) == (1 if name.endswith("gz") else 0)

    def test_lines_that_are_no_samples_are_told_and_passed_over(self, tmp_path):
        path = tmp_path / "r"
        written(path, samples(2))
        with path.open("a") as file:
            file.write(f'nonsense\n\n{{"format":1}}\n{samples(3)[2].to_json()}\n{{"format":1,"taken_at":9')
        taken, findings = read(path)
        assert taken == samples(3)
        assert findings == (
            "2 lines are no samples and are passed over",
            "the last line is cut off, as by a killed recorder; it is passed over",
        )

    def test_a_last_line_that_lacks_only_its_end_is_a_sample(self, tmp_path):
        path = tmp_path / "r"
        written(path, samples(2))
        path.write_bytes(path.read_bytes()[:-1])
        assert read(path) == (samples(2), ())

    def test_a_sample_that_is_broken_within_is_told_when_it_is_asked_for(self, tmp_path):
        path = tmp_path / "r"
        written(path, samples(3))
        path.write_text(path.read_text().replace('"data":{"used_bytes":107374182,', '"data":{"used_bytes":"all",'))
        with Recording.open(str(path)) as recording:
            assert len(recording) == 3
            with pytest.raises(RecordingError, match="sample 1 is broken"):
                recording.at(1)
            assert list(recording.between(NOW, NOW + 9)) == [samples(3)[0], samples(3)[2]]

    def test_damage_within_a_compressed_file_is_told(self, tmp_path):
        path = tmp_path / "r.gz"
        written(path, samples(200))
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
        taken, findings = read(path)
        assert taken[:20] == samples(20)
        assert any("damaged" in finding or "no samples" in finding for finding in findings)


class TestRefusals:
    @pytest.mark.parametrize(
        "content",
        ["", "\n", "hello\n", "[]\n", "7\n", "{}\n", '{"kind":"dmtui recording"}\n', "\x00" * 100, "[" * 10**5],
    )
    def test_what_is_no_recording_is_refused(self, tmp_path, content):
        (tmp_path / "r").write_text(content)
        with pytest.raises(RecordingError, match="is no recording of dmtui"):
            Recording.open(str(tmp_path / "r"))

    def test_a_recording_of_a_later_release_is_refused_by_its_name(self, tmp_path):
        fields = json.loads(HEADER.to_json()) | {"version": 2, "dmtui": "9.0"}
        (tmp_path / "r").write_text(json.dumps(fields) + "\n")
        with pytest.raises(RecordingError, match=r"written by a later dmtui \(9.0\)"):
            Recording.open(str(tmp_path / "r"))

    def test_a_header_that_is_not_whole_is_refused(self, tmp_path):
        fields = json.loads(HEADER.to_json()) | {"began": "once"}
        (tmp_path / "r").write_text(json.dumps(fields) + "\n")
        with pytest.raises(RecordingError, match="header that is not whole"):
            Recording.open(str(tmp_path / "r"))

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "r")
        with pytest.raises(RecordingError, match="no regular file"):
            Recording.open(str(tmp_path / "r"))

    def test_a_compressed_file_does_not_fill_the_disk(self, tmp_path, monkeypatch):
        monkeypatch.setattr(recording_module, "MOST_UNPACKED_BYTES", 1 << 20)
        (tmp_path / "r.gz").write_bytes(gzip.compress(b"\0" * (4 << 20)))
        with pytest.raises(RecordingError, match="gunzip it"):
            Recording.open(str(tmp_path / "r.gz"))

    def test_a_line_without_an_end_is_not_read_into_memory(self, tmp_path, monkeypatch):
        monkeypatch.setattr(recording_module, "_MOST_LINE_BYTES", 4096)
        written(tmp_path / "r", samples(1))
        with (tmp_path / "r").open("a") as file:
            file.write("x" * 100_000)
        assert len(read(tmp_path / "r")[0]) == 1


class TestRandomAccess:
    @pytest.fixture
    def recording(self, tmp_path):
        written(tmp_path / "r", samples(50))
        with Recording.open(str(tmp_path / "r")) as recording:
            yield recording

    def test_by_number(self, recording):
        assert len(recording) == 50
        assert recording.at(17) == samples(50)[17]
        assert recording.time(17) == NOW + 17
        with pytest.raises(IndexError):
            recording.at(50)

    @given(st.floats(-10, 70))
    def test_by_time_it_is_the_newest_that_is_not_later(self, offset):
        times = [NOW + number for number in range(50)]
        import bisect

        expected = max(0, bisect.bisect_right(times, NOW + offset) - 1)
        assert self.opened().index_at(NOW + offset) == expected

    def opened(self, cache=[]):  # noqa: B006 - one file for all examples
        if not cache:
            import tempfile

            path = tempfile.mkdtemp() + "/r"
            written(path, samples(50))
            cache.append(Recording.open(path))
        return cache[0]

    def test_between_two_moments(self, recording):
        assert list(recording.between(NOW + 3, NOW + 5)) == samples(50)[3:6]
        assert list(recording.between(NOW - 9, NOW)) == samples(1)
        assert list(recording.between(NOW + 3.5, NOW + 3.6)) == []

    def test_a_clock_that_was_set_back_is_told_and_by_number_all_are_found(self, tmp_path):
        taken = [*samples(5), *samples(5, NOW - 100)]
        written(tmp_path / "back", taken)
        assert read(tmp_path / "back")[0] == taken
        with Recording.open(str(tmp_path / "back")) as recording:
            assert recording.findings == ("the clock was set back: 5 samples are older than one before them",)

    def test_a_long_recording_takes_28_bytes_a_sample(self, tmp_path):
        line = made.sample(at=NOW).to_json()
        with (tmp_path / "long").open("w") as file:
            file.write(HEADER.to_json() + "\n")
            file.writelines(f"{line}\n" for _ in range(20_000))
        with Recording.open(str(tmp_path / "long")) as recording:
            columns = (recording._starts, recording._lengths, recording._times, recording._order)
            assert sum(column.itemsize for column in columns) == 28
            assert recording.at(19_999) == made.sample(at=NOW)
