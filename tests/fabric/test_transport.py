"""The transport against a server that is not ours (aiohttp's), and against bytes no honest server sends (F10, F18)."""

from __future__ import annotations

import asyncio
import gzip
import random
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.errors import BadData, BadUse, OutcomeUnknown, Unreachable
from tradewind.fabric.clock import JournalTime, SystemClock
from tradewind.fabric.network import Network
from tradewind.fabric.transport import Denied, Settings, address
from tradewind.fabric.websocket import FrameParser, Violation, frame
from tradewind.venues.adapter import Ask


def settings(**more: Any) -> Settings:
    return Settings(JournalTime(SystemClock()), random.Random(1), **more)


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """An aiohttp server on loopback; gives its host and port."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """A server that answers with bytes of its own; it leaves nothing open behind it."""
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            await answer(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.sleep(0.01)


def websocket(handler: Callable[[web.WebSocketResponse], Awaitable[None]], **more: Any) -> web.Application:
    async def serve(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(**more)
        await ws.prepare(request)
        await handler(ws)
        return ws

    app = web.Application()
    app.router.add_get("/{tail:.*}", serve)
    return app


async def collect(wire: Any, n: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < n:
        for arrival in await wire.arrivals():
            found += arrival.messages
    return found


def test_messages_of_every_length_arrive_and_leave_whole() -> None:
    sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 300_000]

    async def echo(ws: web.WebSocketResponse) -> None:
        async for message in ws:
            await ws.send_str(message.data)

    async def play() -> list[bytes]:
        async with served(websocket(echo)) as host:
            wire = await Network(settings()).connect(f"ws://{host}/stream?streams=a/b")
            for size in sizes:
                wire.send(b"x" * size)
            came = await collect(wire, len(sizes))
            wire.abort()
            return came

    assert [len(message) for message in asyncio.run(play())] == sizes


def test_many_messages_come_in_one_call_in_order() -> None:
    async def flood(ws: web.WebSocketResponse) -> None:
        for k in range(5000):
            await ws.send_str(str(k))
        await ws.receive()

    async def play() -> tuple[list[bytes], int]:
        async with served(websocket(flood)) as host:
            wire = await Network(settings()).connect(f"ws://{host}/")
            came, calls = [], 0
            while len(came) < 5000:
                calls += 1
                came += [message for arrival in await wire.arrivals() for message in arrival.messages]
            wire.abort()
            return came, calls

    came, calls = asyncio.run(play())
    assert came == [str(k).encode() for k in range(5000)]
    assert calls < 2500


def test_a_venues_ping_is_answered_and_ours_is_heard() -> None:
    async def serve(ws: web.WebSocketResponse) -> None:
        await ws.ping(b"are you there")
        message = await ws.receive()  # autoping is off: pongs and pings are seen
        await ws.send_str(f"{message.type.name} {message.data.decode()}")
        message = await ws.receive()
        await ws.send_str(message.type.name)
        await ws.receive()

    async def play() -> list[bytes]:
        async with served(websocket(serve, autoping=False)) as host:
            wire = await Network(settings()).connect(f"ws://{host}/")
            found = await collect(wire, 1)
            wire.ping()
            found += await collect(wire, 1)
            wire.abort()
            return found

    assert asyncio.run(play()) == [b"PONG are you there", b"PING"]


def test_a_close_gives_what_came_before_and_then_says_why() -> None:
    async def serve(ws: web.WebSocketResponse) -> None:
        await ws.send_str("last words")
        await ws.close(code=1008, message=b"Policy")

    async def play() -> tuple[list[bytes], str]:
        async with served(websocket(serve)) as host:
            wire = await Network(settings()).connect(f"ws://{host}/")
            came = await collect(wire, 1)
            with pytest.raises(Unreachable) as error:
                await wire.arrivals()
            return came, str(error.value)

    came, why = asyncio.run(play())
    assert came == [b"last words"]
    assert "1008" in why


@pytest.mark.parametrize("status", [418, 429, 403, 503])
def test_a_refused_handshake_carries_its_answer(status: int) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Retry-After": "7"})

    async def play() -> Denied:
        app = web.Application()
        app.router.add_get("/ws", refuse)
        async with served(app) as host:
            with pytest.raises(Denied) as error:
                await Network(settings()).connect(f"ws://{host}/ws")
            return error.value

    denied = asyncio.run(play())
    assert denied.answer.status == status
    assert denied.answer.headers["retry-after"] == "7"


# Bytes no honest server sends ---------------------------------------------------------------------------------------------


def handshaken(then: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> Any:
    """A raw server that accepts the upgrade and then does as it likes."""
    import base64
    import hashlib

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        try:
            await then(writer)
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    return serve


def ended(then: Callable[[asyncio.StreamWriter], Awaitable[None]], **more: Any) -> tuple[str, list[bytes]]:
    """What a wire says at its end, and what came before."""

    async def play() -> tuple[str, list[bytes]]:
        async with raw(handshaken(then)) as host:
            wire = await Network(settings(**more)).connect(f"ws://{host}/")
            came: list[bytes] = []
            try:
                async with asyncio.timeout(5):
                    while True:
                        came += [message for arrival in await wire.arrivals() for message in arrival.messages]
            except Unreachable as error:
                wire.abort()
                await asyncio.sleep(0.01)
                return error.what, came

    return asyncio.run(play())


def test_f18_a_huge_message_is_refused_by_its_head() -> None:
    async def huge(writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x81\x7f" + struct.pack(">Q", 1 << 40) + b"x" * 100)

    assert "more than" in ended(huge)[0]


def test_f18_fragments_cannot_add_up_to_a_huge_message() -> None:
    async def many(writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x01\x7e" + struct.pack(">H", 60_000) + b"x" * 60_000)
        for _ in range(100):
            writer.write(b"\x00\x7e" + struct.pack(">H", 60_000) + b"x" * 60_000)
            await writer.drain()

    assert "more than" in ended(many, max_message=1 << 20)[0]


def test_f18_a_dripping_frame_is_cut_although_bytes_keep_coming() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x81\x02ok\x81\x7d")
        for _ in range(100):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    why, came = ended(drip, frame_s=0.2)
    assert "longer than" in why
    assert came == [b"ok"]


@pytest.mark.parametrize(
    "bytes_",
    [b"\x81\x85abcdhello", b"\xc1\x02hi", b"\x80\x02hi", b"\x83\x02hi", b"\x09\x00", b"\x8b\x00", b"\x01\x01a\x81\x01b"],
)
def test_broken_frames_end_the_connection(bytes_: bytes) -> None:
    async def broken(writer: asyncio.StreamWriter) -> None:
        writer.write(bytes_)

    assert ended(broken)[0]


def test_unread_messages_stop_the_socket_not_the_memory() -> None:
    async def flood(ws: web.WebSocketResponse) -> None:
        for _ in range(400):
            await ws.send_str("x" * 50_000)
        await ws.send_str("end")
        await ws.receive()

    async def play() -> int:
        async with served(websocket(flood)) as host:
            wire: Any = await Network(settings(max_queued=1 << 20)).connect(f"ws://{host}/")
            await asyncio.sleep(0.3)
            held = sum(len(message) for arrival in wire._arrivals for message in arrival.messages)
            came = await collect(wire, 401)
            assert came[-1] == b"end"
            wire.abort()
            return held

    assert asyncio.run(play()) < 3 << 20


def test_a_server_that_never_answers_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def play() -> None:
        async with raw(silent) as host:
            with pytest.raises(Unreachable):
                await Network(settings(connect_s=0.2)).connect(f"ws://{host}/")
            with pytest.raises(OutcomeUnknown):
                await Network(settings(answer_s=0.2)).ask(f"http://{host}", Ask(path="/x"))

    asyncio.run(play())


@pytest.mark.parametrize("url", ["ws://stream.binance.com/ws", "http://api.kraken.com/0", "ftp://x", "wss://", "wss://u:p@h/"])
def test_plain_text_never_leaves_this_computer(url: str) -> None:
    with pytest.raises(BadUse):
        address(url)


# REST -------------------------------------------------------------------------------------------------------------------


def test_rest_keeps_its_connection_reads_chunks_and_unpacks() -> None:
    peers = set()

    async def plain(request: web.Request) -> web.Response:
        peers.add(request.transport.get_extra_info("peername") if request.transport else None)
        return web.json_response(dict(request.query))

    async def chunked(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for _ in range(5):
            await response.write(b"abc")
        await response.write_eof()
        return response

    async def packed(request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"z" * 10_000), headers={"Content-Encoding": "gzip"})

    async def play() -> list[Any]:
        app = web.Application()
        app.router.add_get("/plain", plain)
        app.router.add_get("/chunked", chunked)
        app.router.add_get("/packed", packed)
        async with served(app) as host:
            network = Network(settings())
            found: list[Any] = []
            for path, query in (
                ("/plain", (("a", "1 2"), ("b", "["))),
                ("/plain", ()),
                ("/chunked", ()),
                ("/packed", ()),
                ("/none", ()),
            ):
                answer = await network.ask(f"http://{host}/", Ask(path=path, query=query))
                found.append((answer.status, answer.body))
                assert answer.received_ns >= answer.sent_ns
            network.close()
            return found

    found = asyncio.run(play())
    assert found[0] == (200, b'{"a": "1 2", "b": "["}')
    assert found[2] == (200, b"abc" * 5)
    assert found[3] == (200, b"z" * 10_000)
    assert found[4][0] == 404
    assert len(peers) == 1


def test_f18_a_compression_bomb_is_refused() -> None:
    async def bomb(request: web.Request) -> web.Response:
        return web.Response(body=zlib.compress(b"\0" * 50_000_000), headers={"Content-Encoding": "deflate"})

    async def play() -> None:
        app = web.Application()
        app.router.add_get("/", bomb)
        async with served(app) as host:
            with pytest.raises(BadData):
                await Network(settings(max_body=1 << 20)).ask(f"http://{host}", Ask(path="/"))

    asyncio.run(play())


BROKEN_ANSWERS = (
    b"",
    b"hello\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort",
    b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
)


@pytest.mark.parametrize("answer", BROKEN_ANSWERS)
def test_an_answer_that_breaks_off_is_unknown_not_empty(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def play() -> None:
        async with raw(serve) as host:
            with pytest.raises(OutcomeUnknown):
                await Network(settings()).ask(f"http://{host}", Ask(path="/"))

    asyncio.run(play())


# The parser alone -------------------------------------------------------------------------------------------------------


def unmasked(opcode: int, body: bytes, final: bool = True) -> bytes:
    n = len(body)
    head = bytes([(0x80 if final else 0) | opcode])
    if n <= 125:
        return head + bytes([n]) + body
    return head + (b"\x7e" + struct.pack(">H", n) if n < 65_536 else b"\x7f" + struct.pack(">Q", n)) + body


@given(st.lists(st.binary(max_size=300), max_size=12), st.integers(1, 40), st.randoms(use_true_random=False))
def test_cutting_the_stream_anywhere_changes_nothing(messages: list[bytes], cut: int, rng: random.Random) -> None:
    stream = b""
    for message in messages:
        if rng.random() < 0.3:
            stream += unmasked(9, b"ping")
        if rng.random() < 0.3 and message:
            at = rng.randrange(len(message))
            stream += unmasked(1, message[:at], False) + unmasked(10, b"") + unmasked(0, message[at:])
        else:
            stream += unmasked(rng.choice((1, 2)), message)
    parser, found = FrameParser(1 << 20), []
    for at in range(0, len(stream), cut):
        found += parser.feed(stream[at : at + cut])
    assert found == messages
    assert not parser.unfinished


def heard(pieces: list[bytes]) -> tuple[list[bytes], list[tuple[int, bytes]], int]:
    """(messages, control frames, the violation's code or 0) of a stream in pieces."""
    parser, found = FrameParser(1000), []
    try:
        for piece in pieces:
            found += parser.feed(piece)
    except Violation as violation:
        return found, parser.controls, violation.code
    return found, parser.controls, 0


@given(st.lists(st.integers(0, 5), max_size=1500), st.randoms(use_true_random=False))
def test_many_frames_at_once_are_cut_as_byte_by_byte(kinds: list[int], rng: random.Random) -> None:
    makes = [
        lambda: unmasked(1, b"x" * rng.randrange(126)),
        lambda: unmasked(2, b"y" * rng.randrange(126, 300)),
        lambda: unmasked(1, b"{}") * rng.randrange(1, 700),
        lambda: unmasked(9, b"ping"),
        lambda: unmasked(1, b"a", False) + unmasked(0, b"b"),
        lambda: rng.choice((b"", unmasked(1, b"z" * rng.choice((1000, 1001))), rng.randbytes(3))),
    ]
    stream = b"".join(makes[kind]() for kind in kinds)
    # Before a violation, a whole piece may hold messages that were told already when the bytes came one by one.
    messages, controls, code = heard([stream])
    told, controlled, broken = heard([stream[at : at + 1] for at in range(len(stream))])
    assert (code, controls) == (broken, controlled)
    assert messages == told or (code and not messages)


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_violate(data: bytes) -> None:
    parser = FrameParser(1 << 16)
    try:
        parser.feed(data)
    except Violation:
        return


@given(st.binary(max_size=70_000), st.binary(min_size=4, max_size=4))
def test_a_frame_unmasks_to_its_body(body: bytes, mask: bytes) -> None:
    made = frame(1, body, mask)
    at = 2 if len(body) <= 125 else 4 if len(body) < 65_536 else 10
    assert made[at : at + 4] == mask
    assert bytes(b ^ mask[i % 4] for i, b in enumerate(made[at + 4 :])) == body
    assert made[0] & 0x0F == WSMsgType.TEXT
