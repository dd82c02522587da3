"""Runs an agent's app with uvicorn and stops it cleanly within two seconds."""

import signal
import socket
from types import FrameType

import uvicorn
from starlette.applications import Starlette

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# After a signal, streams end by themselves within this time, or are cancelled.
STREAMS_GRACE_S = 0.7
# After this time, uvicorn closes the connections that are still open.
CLOSE_S = 1


class Server(uvicorn.Server):
    """Ends the open streams first. uvicorn would wait, and then break them.

    `app.state.close` must be an async function that ends them.
    """

    def __init__(self, app: Starlette) -> None:
        self._app = app
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                log_config=None,
                log_level="warning",
                timeout_graceful_shutdown=CLOSE_S,
                ws="none",
            )
        )

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn restores these handlers when it stops. Ctrl-C often comes twice.
        for number in SIGNALS:
            signal.signal(number, self.handle_exit)
        try:
            super().run(sockets)
        finally:
            # The interpreter takes a tenth of a second to end, and would die from a
            # signal in that time.
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop cleanly on every signal.

        uvicorn would break the streams at the second signal, and raise the signal again
        at the end, which changes the exit code.
        """
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._app.state.close()
        await super().shutdown(sockets)
