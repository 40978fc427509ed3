"""A client of the official Python SDK that keeps what its server sends and asks."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

PATIENCE_SECONDS = 20


class Surface:
    """One client, and what its server sent and asked."""

    def __init__(self, transport: Any, mode: str, roots: list[str]) -> None:
        self.asked: list[Any] = []
        self.roots = roots
        self.elicited: types.ElicitResult = types.ElicitResult(action="accept", content={"name": "Ada Lovelace", "date": "2026-12-01"})
        self._received: list[Any] = []
        self._arrived = asyncio.Event()
        self.client = Client(
            transport,
            mode=mode,
            read_timeout_seconds=PATIENCE_SECONDS,
            sampling_callback=self._sample,
            elicitation_callback=self._elicit,
            list_roots_callback=self._list_roots,
            message_handler=self._receive,
            cache=None,
            client_info=types.Implementation(name="sdk-client-test", version="1.0.0"),
        )

    async def _sample(self, _context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
        self.asked.append(plain(params))
        answer = types.TextContent(type="text", text="A sampled answer: ä ∀")
        return types.CreateMessageResult(role="assistant", content=answer, model="test-model", stop_reason="endTurn")

    async def _elicit(self, _context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        self.asked.append(plain(params))
        return self.elicited

    async def _list_roots(self, _context: Any) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri=uri, name="root") for uri in self.roots])

    async def _receive(self, message: Any) -> None:
        if not isinstance(message, Exception):
            self._received.append(plain(message))
            self._arrived.set()

    async def next(self, method: str, text: str = "") -> Any:
        """The next notification that fits; those before it are passed over."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while True:
                while self._received:
                    message = self._received.pop(0)
                    if message["method"] == method and text in json.dumps(message):
                        return message
                self._arrived.clear()
                await self._arrived.wait()

    def take_asked(self) -> list[Any]:
        asked, self.asked = self.asked, []
        return asked


def plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


@asynccontextmanager
async def connect(job: dict[str, Any]) -> AsyncIterator[Surface]:
    """Connects to the program or the URL that a job names."""
    roots = job.get("roots", ["file:///projects/one"])
    if "program" in job:
        surface = Surface(stdio_client(StdioServerParameters(**job["program"])), job["mode"], roots)
        async with surface.client:
            yield surface
        return
    token = job.get("token")
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(30, read=60)) as http:
        surface = Surface(streamable_http_client(job["url"], http_client=http), job["mode"], roots)
        async with surface.client:
            yield surface


Step = Callable[[Surface], Awaitable[Any]]


async def handshake(surface: Surface) -> Any:
    client = surface.client
    return [client.protocol_version, plain(client.server_capabilities), plain(client.server_info), client.instructions]
