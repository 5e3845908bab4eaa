"""The HTTP/1.1 protocol of our servers: a head that is too large is answered 431 in the one shape, not 400 as plain text.

Where a head arrives whole in one read, the gate refuses it; this is for one that goes on and on.
"""

from __future__ import annotations

import sys

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from inference.errors import HeadersTooLarge

_TOO_LARGE = 431


class HeadProtocol(H11Protocol):
    """uvicorn's, with one more answer."""

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, or more than one."""
        error = sys.exception()
        if not isinstance(error, h11.RemoteProtocolError) or error.error_status_hint != _TOO_LARGE:
            super().send_400_response(msg)
            return
        body = HeadersTooLarge("The request's headers are too large (server.max_header_kib).", is_permanent=True).body()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        for event in (h11.Response(status_code=_TOO_LARGE, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
