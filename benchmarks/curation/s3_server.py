"""An S3 server on this machine, to be run in a process of its own.

moto's server for all of AWS finds the service of each request anew, and closes the connection after it; this one knows
that all are for S3.
"""

from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

__all__ = ["serve"]


class _KeptOpen(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object) -> None:
        """Print nothing."""


def serve(port: int) -> None:
    """Serve until the process is killed."""
    make_server("127.0.0.1", port, create_backend_app("s3"), threaded=True, request_handler=_KeptOpen).serve_forever()
