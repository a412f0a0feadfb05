"""The ASGI application: /ping, /invocations, /execution-parameters, /metrics and the page at /."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pixelwise.data.display import Display
from pixelwise.errors import DataError, MissingExtra
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.views import PLAIN
from pixelwise.serving.batching import Batcher
from pixelwise.serving.codecs import DEFAULT_REPLY, choose_reply, require_default, require_room
from pixelwise.serving.limits import MEBIBYTE, Limits, Refusal
from pixelwise.serving.metrics import Metrics
from pixelwise.serving.requests import receive, require_image_type
from pixelwise.serving.web_page import front_page

try:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route
except ImportError:
    raise MissingExtra("serve", "Serving a model") from None

from pixelwise.serving.request_log import Watching

NOTE = "Pixelwise-Note"
"""The header of a reply that says what of the image was left out, such as frames behind the first."""

_Result = TypeVar("_Result")

# Decoding and encoding leave the interpreter's lock; two threads keep up with any network.
_CODEC_THREADS = 2
# A body above the limit is read to its end so that the client sees the answer, not a broken connection; up to here.
_DISCARDED_BYTES = 256 * MEBIBYTE


def create_app(predictor: Predictor, *, limits: Limits | None = None, default_accept: str = DEFAULT_REPLY) -> Starlette:
    """An ASGI application around a predictor; the network runs in a thread of its own.

    Args:
        predictor: what predicts; its device, precision and tile count here too.
        limits: what is refused.
        default_accept: the reply to requests without an Accept header or with `*/*`.

    Raises:
        SettingsError: there is no such default reply.
    """
    require_default(default_accept)
    endpoint = Endpoint(predictor, limits or Limits(), default_accept)
    routes = [
        Route("/", endpoint.page),
        Route("/ping", endpoint.ping),
        Route("/invocations", endpoint.invocations, methods=["POST"]),
        Route("/execution-parameters", endpoint.execution_parameters),
        Route("/metrics", endpoint.scraped),
    ]
    paths = frozenset(route.path for route in routes)
    return Starlette(
        routes=routes,
        middleware=[Middleware(Watching, metrics=endpoint.metrics, paths=paths)],
        exception_handlers={HTTPException: _http_error, Refusal: _refused, DataError: _bad_image},
        lifespan=endpoint.lifespan,
    )


class Endpoint:
    """What the routes share: the predictor's queue, threads for the codecs, and the counts."""

    def __init__(self, predictor: Predictor, limits: Limits, default_accept: str) -> None:
        self.limits, self.default_accept = limits, default_accept
        self.labels, self.bands = predictor.labels, predictor.bands
        self.metrics = Metrics()
        self.batcher = Batcher(predictor, max_batch=limits.max_batch, metrics=self.metrics)
        self.under_way = 0
        self._threads = ThreadPoolExecutor(_CODEC_THREADS, thread_name_prefix="pixelwise-codec")
        self._front = front_page(predictor.labels, Display.of(predictor.bands).text())
        gauge = self.metrics.add_gauge
        gauge("pixelwise_requests_under_way", "Images received and not answered.", lambda: self.under_way)
        gauge("pixelwise_queue_images", "Images that wait for the network.", lambda: self.batcher.waiting)
        gauge("pixelwise_views", "How often the network sees an image.", lambda: len(predictor.views or (PLAIN,)))

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """From start to shutdown."""
        yield
        await asyncio.to_thread(self.batcher.close)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def page(self, _: Request) -> Response:
        """The page for people."""
        return Response(self._front.content, media_type="text/html", headers=self._front.headers)

    async def ping(self, _: Request) -> Response:
        """200 without content while images are taken."""
        return Response(status_code=200 if self.batcher.is_healthy else 503)

    async def execution_parameters(self, _: Request) -> Response:
        """How to call the endpoint in bulk."""
        return JSONResponse(self.limits.execution_parameters())

    async def scraped(self, request: Request) -> Response:
        """The counts, for Prometheus."""
        content, content_type = self.metrics.scraped(_accept(request))
        return Response(content, headers={"Content-Type": content_type})

    async def invocations(self, request: Request) -> Response:
        """One image in, its prediction out."""
        if self.under_way >= self.limits.max_requests:
            raise Refusal(503, f"{self.under_way} images are under way. Try again.", {"Retry-After": "1"})
        self.under_way += 1
        try:
            async with asyncio.timeout(self.limits.timeout_seconds):
                return await self._answer(request)
        except TimeoutError:
            seconds = self.limits.timeout_seconds
            raise Refusal(504, f"There is no answer after {seconds:g} seconds. Send fewer or smaller images.") from None
        finally:
            self.under_way -= 1

    async def _answer(self, request: Request) -> Response:
        content = await _body(request, self.limits.max_bytes)
        if not content:
            return Response(status_code=204)
        require_image_type(request.headers.get("content-type", ""))
        reply = choose_reply(_accept(request), default=self.default_accept)
        facts = request.scope["facts"]
        facts |= {"received_bytes": len(content), "reply": reply.content_type}
        self.metrics.received.inc(len(content))
        received = await self._aside(lambda: receive(content, self.bands, max_pixels=self.limits.max_pixels))
        pixels = received.pixels
        facts |= {"width": pixels.shape[1], "height": pixels.shape[0]}
        facts |= {"notes": received.notes} if received.notes else {}
        require_room(reply, pixels, self.labels.num_classes)
        job = self.batcher.submit(pixels, probabilities=reply.needs_probabilities)
        prediction = await asyncio.wrap_future(job)
        encoded = await self._aside(lambda: reply.encode(received, prediction))
        noted = {NOTE: "; ".join(received.notes)} if received.notes else {}
        return Response(encoded, headers={"Content-Type": reply.content_type, **noted})

    async def _aside(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _accept(request: Request) -> str:
    """The Accept header, which may come in several lines."""
    return ",".join(request.headers.getlist("accept"))


async def _body(request: Request, max_bytes: int) -> bytes:
    """The body; Refusal 413 when it is larger than `max_bytes`, 400 when the client leaves."""
    pieces, size = [], 0
    try:
        async for piece in request.stream():
            size += len(piece)
            if size <= max_bytes:
                pieces.append(piece)
            else:
                pieces.clear()
            if size > max_bytes + _DISCARDED_BYTES:
                break
    except ClientDisconnect:
        raise Refusal(400, "The connection ended before the image did.") from None
    if size > max_bytes:
        raise Refusal(413, f"The image has more than {max_bytes} bytes. Send a smaller or a more compressed one.")
    return b"".join(pieces)


def _http_error(_: Request, error: Any) -> Response:
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)


def _refused(_: Request, error: Any) -> Response:
    return JSONResponse({"error": str(error)}, status_code=error.status, headers=error.headers)


def _bad_image(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)
