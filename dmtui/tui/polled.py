"""What the poller's thread tells the dashboard."""

from __future__ import annotations

from textual.message import Message

from dmtui.monitor.poller import PollFailed
from dmtui.monitor.sample import Sample


class Polled(Message):
    """A poll came back; a newer one takes the place of one that has not been handled yet."""

    def __init__(self, outcome: Sample | PollFailed) -> None:
        super().__init__()
        self.outcome = outcome

    def can_replace(self, message: Message) -> bool:
        """Only the newest matters."""
        return isinstance(message, Polled)
