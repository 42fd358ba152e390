"""How many requests does a run ask of a store, for each video and besides?

    python -m benchmarks.curation.store_requests [--videos 4] [--set NAME=VALUE]

Curates so many copies of the first 4 s of the sample video, then twice as many, from moto's S3 server onto it, in one
process and with preset `embedded`; the same command again finds nothing to do. The difference of the two, divided by
the videos that the second has more, is what a video costs; what is left is what a run costs. Prints one JSON line:
requests by method for a video, for a run, and for a video that is done already, with the objects that a video leaves
before packing.
"""

import argparse
import json
import os
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.curation.run_command import numbered
from benchmarks.curation.scale import cut
from curation import load_settings
from curation.engine.execution import Executor
from curation.operations.run import run
from curation.settings import CurationSettings
from foundation.storage.locations import location, remote_of

LENGTH_S = 4.0


@contextmanager
def counting_server() -> Iterator[Counter[str]]:
    """Serve S3 on this machine, name it in the environment, and yield the number of requests by method."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log(self, *_: object) -> None:
            """Say nothing."""

    requests: Counter[str] = Counter()
    application = DomainDispatcherApplication(create_backend_app)

    def counting(environ: dict[str, Any], start_response: Any) -> Any:  # noqa: ANN401 - of WSGI
        listing = environ["REQUEST_METHOD"] == "GET" and "list-type" in environ.get("QUERY_STRING", "")
        requests["LIST" if listing else environ["REQUEST_METHOD"]] += 1
        if environ["REQUEST_METHOD"] == "PUT" and "/ledger/" not in environ["PATH_INFO"]:
            requests["objects"] += 1
        return application(environ, start_response)

    server = make_server("127.0.0.1", 0, counting, threaded=True, request_handler=Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up"}
    try:
        yield requests
    finally:
        server.shutdown()


def requests_of(n_videos: int, settings: CurationSettings, requests: Counter[str], folder: Path) -> list[Counter[str]]:
    """Return the requests of a run over so many videos, and of the same run again."""
    bucket = location(f"s3://videos-{n_videos}")
    fs = remote_of(bucket).fs
    fs.mkdir(bucket.name or str(bucket).removeprefix("s3://"))
    cut(folder / "base.mp4", LENGTH_S)
    base = (folder / "base.mp4").read_bytes()
    for number in range(n_videos):
        fs.pipe_file(str(bucket / "raw" / f"{number}.mp4"), numbered(base, number))
    found = []
    for _ in range(2):
        requests.clear()
        run(str(bucket / "raw"), bucket / "dataset", settings, Executor())
        found.append(Counter(requests))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=4)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="overrides")
    arguments = parser.parse_args()
    n = arguments.videos
    settings = load_settings("embedded", overrides=arguments.overrides)
    with tempfile.TemporaryDirectory() as folder, counting_server() as requests:
        few, few_again = requests_of(n, settings, requests, Path(folder))
        many, many_again = requests_of(2 * n, settings, requests, Path(folder))
    methods = sorted(few | many | few_again | many_again)
    each = {method: (many[method] - few[method]) / n for method in methods}
    report = {
        "of_a_video": each,
        "of_a_run": {method: round(few[method] - n * each[method]) for method in methods},
        "of_a_video_done": {method: (many_again[method] - few_again[method]) / n for method in methods},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
