"""ccxt as the bridge uses it: imported late, numbers kept with their text, every request through one gate.

ccxt itself is unchanged. Its books hold floats, because they are sorted by them; here each of them is a `Told`, a float that
remembers the text it was read from, and only the text goes on. A number that lost its text inside ccxt is refused: nothing goes
through a float unseen.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextvars import ContextVar
from importlib import import_module
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from tradewind.domain.codes import SECOND
from tradewind.domain.errors import BadData, BadUse
from tradewind.domain.instruments import MOST_TEXT

from .clock import JournalTime
from .transport import address

SCHEME = "ccxt"
TIMEOUT_MS = 10_000
BAN_S = 60  # where a ban does not say how long it is
BANS = (418, 429)
BINANCES = {"binanceusdm": "linear", "binancecoinm": "inverse"}
WAITING = 503  # also says how long to wait, without being a ban

heard_answer: ContextVar[list[tuple[int, dict[str, str]]] | None] = ContextVar("heard_answer", default=None)
"""(status, headers in lower case) of what ccxt's requests of this task were answered with."""


class Told(float):
    """A number as it was told: compares as a float, keeps its text; "" where there was none."""

    text: str

    def __new__(cls, value: Any) -> Self:
        """Of a text, a whole number, or another Told; a float of no known text has none."""
        made = super().__new__(cls, value)
        made.text = value.text if isinstance(value, Told) else "" if isinstance(value, float) else str(value)
        return made

    def split(self, by: str) -> list[str]:
        """Its text in parts: ccxt's checksum of Kraken's books takes its own floats for texts."""
        return self.text.split(by)


def plain(value: Any) -> str:
    """The text of a number out of ccxt. Raises BadData for one that has lost it."""
    text = value.text if isinstance(value, Told) else "" if isinstance(value, float | bool) or value is None else str(value)
    if not text or len(text) > MOST_TEXT:
        raise BadData("a number without its text", expected="as the venue wrote it", todo="follow another channel")
    return text


class Hosts(NamedTuple):
    """Which exchange, and where: without addresses those of ccxt's own table."""

    exchange: str
    rest: str
    ws: str

    @classmethod
    def of(cls, base: str) -> Hosts:
        """Of `ccxt://EXCHANGE`, or `ccxt://EXCHANGE?rest=…&ws=…` for another place that speaks as the venue does."""
        parts = urlsplit(base)
        query = parse_qs(parts.query)
        return cls(parts.netloc, query.get("rest", [""])[0], query.get("ws", [""])[0])


def is_bridged(url: str) -> bool:
    """Whether an address is ccxt's business."""
    return url.startswith(f"{SCHEME}://")


def library() -> Any:
    """ccxt with its WebSocket half. Raises BadUse naming the extra where it is not installed. A second, and a hundred megabytes."""
    try:
        import_module("ccxt.pro")
        return import_module("ccxt")
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] != "ccxt":
            raise
        raise BadUse(
            "other venues come through ccxt, which is not installed", where="bridge", expected="the extra `exchanges`",
            todo="pip install 'tradewind[exchanges]'",
        ) from error  # fmt: skip


class Gate:
    """One address at one venue: how long it may not be asked anything."""

    def __init__(self, time: JournalTime) -> None:
        self.time, self.shut_until = time, 0
        self.asked = self.held_back = 0

    def heard(self, status: int, headers: Mapping[str, str]) -> None:
        """Takes in what an answer says of waiting."""
        if status in (*BANS, WAITING):
            text = headers.get("retry-after", "")
            wait = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else BAN_S if status in BANS else 1
            self.shut_until = max(self.shut_until, self.time.now() + wait * SECOND)

    @property
    def left_s(self) -> int:
        """Seconds until something may be asked again; 0 now."""
        return max(0, -((self.time.now() - self.shut_until) // SECOND))


def furnished(hosts: Hosts, gate: Gate, noted: Any = None) -> Any:
    """A new ccxt exchange whose numbers keep their text and whose requests go through the gate.

    noted: called without arguments whenever bytes of a socket came. Raises BadUse where ccxt knows no such exchange.
    """
    ccxt = library()
    if hosts.exchange not in ccxt.exchanges:
        raise BadUse(f"ccxt {ccxt.__version__} knows no exchange {hosts.exchange!r}", where="bridge", expected="an id of ccxt's")
    cls = getattr(import_module("ccxt.pro"), hosts.exchange, None) or getattr(import_module("ccxt.async_support"), hosts.exchange)
    made = cls({"enableRateLimit": True, "timeout": TIMEOUT_MS, "newUpdates": True})
    made.options["watchOrderBook"] = {**made.options.get("watchOrderBook", {}), "checksum": True}  # Kraken's is off in ccxt
    made.number = Told
    made.safe_float, made.safe_float_2, made.safe_float_n = _safe_float, _safe_float_2, _safe_float_n
    made.safe_string = _texts(made.safe_string)
    made.safe_string_2, made.safe_string_n = _texts_of_two(made), _texts_of_many(made)
    made.on_json_response = _read
    _behind(made, gate)
    _listened(made, noted)
    if hosts.rest:
        _moved(made, hosts)
    return made


def _read(text: str | bytes) -> Any:
    return json.loads(text, parse_float=str)


def _safe_float(holder: Any, key: Any, default: Any = None) -> Any:
    try:
        return Told(holder[key])
    except (KeyError, IndexError, TypeError, ValueError):  # ccxt's own promise: what is no number gives the default
        return default


def _safe_float_2(holder: Any, one: Any, other: Any, default: Any = None) -> Any:
    return _safe_float(holder, one, _safe_float(holder, other, default))


def _safe_float_n(holder: Any, keys: list[Any], default: Any = None) -> Any:
    return next((found for key in keys if (found := _safe_float(holder, key)) is not None), default)


def _texts(safe_string: Any) -> Any:
    """ccxt reads its own numbers again as texts: those of a Told are its own."""

    def text_of(holder: Any, key: Any, default: Any = None) -> Any:
        try:
            value = holder[key]
        except (KeyError, IndexError, TypeError):  # ccxt's own promise: what is not there gives the default
            return default
        return (value.text or repr(float(value))) if type(value) is Told else safe_string(holder, key, default)

    return text_of


def _texts_of_two(made: Any) -> Any:
    return lambda holder, one, other, default=None: made.safe_string(holder, one, made.safe_string(holder, other, default))


def _texts_of_many(made: Any) -> Any:
    def text_of(holder: Any, keys: list[Any], default: Any = None) -> Any:
        return next((found for key in keys if (found := made.safe_string(holder, key)) is not None), default)

    return text_of


def _behind(made: Any, gate: Gate) -> None:
    """Every request of the exchange, its own ones for its sockets too, goes through the gate; every answer is heard there."""
    fetch, answered = made.fetch, made.on_rest_response

    async def gated(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        if gate.left_s:
            gate.held_back += 1
            raise library().RateLimitExceeded(f"nothing is asked for {gate.left_s} s")
        address(url)  # nothing leaves this computer in plain text
        gate.asked += 1
        return await fetch(url, method, headers, body)

    def heard(code: int, reason: Any, url: str, method: str, headers: dict[str, str], *rest: Any) -> Any:
        low = {name.lower(): value for name, value in headers.items()}
        gate.heard(code, low)
        seen = heard_answer.get()
        if seen is not None:
            seen.append((code, low))
        return answered(code, reason, url, method, headers, *rest)

    made.fetch, made.on_rest_response = gated, heard


def _listened(made: Any, noted: Any) -> None:
    """Frames of its sockets are read with the texts of their numbers, and somebody may be told that they came."""
    client_of = made.client

    def client(url: str) -> Any:
        new = url not in (made.clients or {})
        if new:
            address(url)
        found = client_of(url)
        if new:
            _own_reading(found, noted)
        return found

    made.client = client


def _own_reading(client: Any, noted: Any) -> None:
    handle = client.handle_message

    def text_or_binary(data: str | bytes) -> None:
        text = data.decode() if isinstance(data, bytes) and client.decompressBinary else data
        try:
            told = _read(text) if isinstance(text, str) and text[:1] in "[{" else text
        except ValueError:
            told = text
        client.on_message_callback(client, told)

    def message(came: Any) -> None:
        if noted is not None:
            noted()
        handle(came)

    client.handle_text_or_binary_message, client.handle_message = text_or_binary, message


def _moved(made: Any, hosts: Hosts) -> None:
    """The same paths at other hosts: an emulator, which has no margin, no currencies and one sort of market."""
    made.urls["api"] = _with_hosts(made.urls["api"], hosts)
    if hosts.exchange.startswith("binance"):
        sort = next((sort for name, sort in BINANCES.items() if hosts.exchange.startswith(name)), "spot")
        made.options["fetchMarkets"] = {"types": [sort]}
        made.options["fetchMargins"] = made.has["fetchCurrencies"] = False


def _with_hosts(urls: Any, hosts: Hosts) -> Any:
    if isinstance(urls, dict):
        return {name: _with_hosts(item, hosts) for name, item in urls.items()}
    if not isinstance(urls, str) or "://" not in urls:
        return urls
    scheme, _, tail = urls.partition("://")
    return (
        (hosts.ws if scheme.startswith("ws") else hosts.rest) + tail[tail.find("/") :]
        if "/" in tail
        else (hosts.ws if scheme.startswith("ws") else hosts.rest)
    )


async def let_go(made: Any) -> None:
    """Closes its sockets and sessions; what goes wrong on the way out is of no use to anybody."""
    made.timeout_on_exit = 0
    try:
        await asyncio.wait_for(made.close(), 5.0)
    except Exception:  # noqa: BLE001 - a stranger's code on its way out: nothing of it is used any more
        return
