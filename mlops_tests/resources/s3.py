"""An S3 server of one's own, on this machine."""

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)
s3fs = pytest.importorskip("s3fs", reason="the extra s3 is not installed")
moto = pytest.importorskip("moto.server", reason="moto is not installed")


class S3Server:
    """An S3 server on this machine that counts its requests, and may refuse the next ones."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.refuse = 0
        self.answer = moto.DomainDispatcherApplication(moto.create_backend_app)
        self._server = make_server("127.0.0.1", 0, self, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        self.asked[environ["REQUEST_METHOD"]] += 1
        if self.refuse:
            self.refuse -= 1
            start("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
        return self.answer(environ, start)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server with an empty bucket, which the environment names meanwhile."""
    server = S3Server()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", server.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "something")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()  # whose servers have stopped
        s3fs.S3FileSystem().mkdir("bucket")
        yield server
    server.stop()
