"""An S3 server on this machine, in a process of its own.

    python -m benchmarks.curation.s3_server PORT

moto's server for all of AWS finds the service of each request anew, and closes the connection after it; this one knows
that all are for S3.
"""

import sys

from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class _KeptOpen(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object) -> None:
        """Print nothing."""


def main() -> None:
    """Serve until the process is killed."""
    make_server(
        "127.0.0.1", int(sys.argv[1]), create_backend_app("s3"), threaded=True, request_handler=_KeptOpen
    ).serve_forever()


if __name__ == "__main__":
    main()
