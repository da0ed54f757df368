"""The dashboard over a recording: it plays, stands at the recorded time, and pauses at the end."""

from dmtui.monitor.recorder import Header, Recorder
from dmtui.monitor.recording import Recording
from dmtui.monitor.replay import Replay
from dmtui.tui.app import DashboardApp
from dmtui.tui.freshness import Flow
from tests.tui import samples


async def test_it_plays_to_the_end_and_pauses_there(tmp_path):
    recorder = Recorder(str(tmp_path / "r"), Header("1", "kernel", "node7", samples.NOW, 1.0))
    for number in range(3):
        recorder.write(samples.sample(samples.docker_pool(0.1 * number), at=samples.NOW + 0.1 * number))
    recorder.close()
    with Recording.open(str(tmp_path / "r")) as recording:
        player = Replay(
            recording, lambda: app.stream.freshness.interval_seconds, lambda: app.call_later(app.action_pause)
        )
        app = DashboardApp(player.take, interval_seconds=0.1, read_only=True, clock=player.clock)
        async with app.run_test() as pilot:
            for _ in range(200):
                await pilot.pause(0.05)
                if app.stream.freshness.flow is Flow.PAUSED:
                    break
            fresh = app.stream.freshness
            assert fresh.flow is Flow.PAUSED
            assert (fresh.sample_at, fresh.age_seconds) == (samples.NOW + 0.2, 0)
            assert player.ended
