"""Layers, origins, units, lines: what a configuration says and where it said it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.errors import BadUse
from tradewind.engine.prelude import Setup
from tradewind.runtime import config
from tradewind.runtime.config import Config, Money, Override, Parameter, Size, Strategy, reference, units
from tradewind.runtime.config.lines import key_lines, line_of
from tradewind.runtime.config.load import Loaded
from tradewind.runtime.config.walk import ROOT, Leaf, Named, children, dotted, leaves, written


def load(folder: Path, text: str = "", **named: Any) -> Loaded:
    if text:
        (folder / "tradewind.toml").write_text(text, encoding="utf-8")
    return config.load(folder=folder, **{"environment": {}, **named})


# Layers ----------------------------------------------------------------------------------------------------------------
def test_each_layer_overrides_the_one_below(tmp_path: Path) -> None:
    text, environment = "[run]\nseed = 2\n", {"TRADEWIND_RUN__SEED": "3"}
    overrides = [Override("run.seed", "4", "--seed")]
    layers = [
        ({}, 1, "default"),
        ({"text": text}, 2, f"{tmp_path / 'tradewind.toml'}, line 2"),
        ({"text": text, "environment": environment}, 3, "environment variable TRADEWIND_RUN__SEED"),
        ({"text": text, "environment": environment, "overrides": overrides}, 4, "--seed"),
    ]
    for named, seed, origin in layers:
        loaded = load(tmp_path, **named)  # type: ignore[arg-type]
        assert loaded.config.run.seed == seed
        assert loaded.origin("run.seed") == origin


def test_no_file_gives_the_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.file is None
    assert loaded.config.run.capital == Money(Decimal(10000), "USD")
    assert loaded.config.run.reporting_currency == "USD"
    assert list(loaded.config.strategies) == ["market_maker", "swing", "arbitrage"]


def test_foreign_variables_are_left_alone(tmp_path: Path) -> None:
    assert (
        load(tmp_path, environment={"TRADEWIND_DEBUG": "1", "TRADEWIND_SHARED": "x", "RUN__SEED": "7"}).config
        == load(tmp_path).config
    )


def test_variable_may_name_a_key_in_capitals(tmp_path: Path) -> None:
    loaded = load(tmp_path, environment={"TRADEWIND_RISK__COLLAR_BPS__A": "20", "TRADEWIND_VENUES__KRAKEN__ORDER_NS": "7ms"})
    assert loaded.config.risk.collar_bps.A == 20
    assert loaded.config.venue("kraken").order_ns == 7_000_000


def test_strategies_of_the_file_replace_the_shipped_ones(tmp_path: Path) -> None:
    loaded = load(tmp_path, "[strategies.swing]\n[strategies.mine]\nkind = 'sma_cross'\nparameters = { fast = 0.1 }\n")
    assert {name: item.kind for name, item in loaded.config.strategies.items()} == {"swing": "swing", "mine": "sma_cross"}
    assert loaded.config.strategies["mine"].parameters == {"fast": Decimal("0.1")}


def test_variable_alters_a_shipped_strategy(tmp_path: Path) -> None:
    loaded = load(tmp_path, environment={"TRADEWIND_STRATEGIES__SWING__ENABLED": "false"})
    assert [name for name, item in loaded.config.strategies.items() if item.enabled] == ["market_maker", "arbitrage"]


def test_venue_without_a_table_has_the_runs_fee_tier(tmp_path: Path) -> None:
    loaded = load(tmp_path, "[run]\nfee_tier = 'vip1'\n[venues.kraken]\nfee_tier = 'pro'\n")
    assert loaded.config.venue("binance").fee_tier == "vip1"
    assert loaded.config.venue("kraken").fee_tier == "pro"


@pytest.mark.parametrize(
    ("capital", "currency", "wanted"),
    [("5", None, ("USD", "USD")), ("5", "EUR", ("EUR", "EUR")), ("5 EUR", None, ("EUR", "EUR")), ("5 EUR", "USD", ("EUR", "USD"))],
)
def test_currency_follows_from_what_is_given(tmp_path: Path, capital: str, currency: str | None, wanted: tuple[str, str]) -> None:
    overrides = [Override("run.capital", capital, "--capital")]
    if currency:
        overrides.append(Override("run.reporting_currency", currency, "--currency"))
    run = load(tmp_path, overrides=overrides).config.run
    assert (run.capital.currency, run.reporting_currency) == wanted


def test_toml_floats_are_taken_as_written(tmp_path: Path) -> None:
    loaded = load(tmp_path, "[selector]\nhysteresis = 0.1\nshrinkage = '30%'\n[truth]\njump_bps = 0.3e2\n")
    assert (loaded.config.selector.hysteresis, loaded.config.selector.shrinkage) == (Decimal("0.1"), Decimal("0.3"))
    assert loaded.config.truth.jump_bps == 30


def test_what_is_shown_reads_back_as_the_same(tmp_path: Path) -> None:
    loaded = load(tmp_path, "[strategies.swing]\ncapital_share = '12.5%'\nthink_ns = '3ms'\n[risk]\nvol_target = 'off'\n")
    again: dict[Any, Any] = {}
    for path, key, value in leaves(loaded.config):
        text = written(key, value)
        if text is not None:
            again[path] = key.kind.read(text)
            assert again[path] == value, path
    assert len(again) > 30


# Against the world -------------------------------------------------------------------------------------------------------
def declared(kind: str) -> dict[str, Parameter] | None:
    return {"fast": Parameter(Decimal(10), Decimal(1), Decimal(100))} if kind == "sma_cross" else None


@pytest.mark.parametrize(
    ("parameter", "what", "todo"),
    [("fst = 5", "unknown parameter 'fst'", "did you mean fast?"), ("fast = 0.5", "0.5 is out of range", "default 10")],
)
def test_parameters_are_held_to_what_the_strategy_declares(tmp_path: Path, parameter: str, what: str, todo: str) -> None:
    with pytest.raises(BadUse) as caught:
        load(tmp_path, f"[strategies.x]\nkind = 'sma_cross'\n[strategies.x.parameters]\n{parameter}\n", declared=declared)
    assert caught.value.what == what
    assert todo in caught.value.todo
    assert "line 4, key strategies.x.parameters." in caught.value.where


def test_declared_parameter_in_its_range_is_taken(tmp_path: Path) -> None:
    loaded = load(tmp_path, "[strategies.sma_cross]\nparameters = {fast = 100}\n", declared=declared)
    assert loaded.config.strategies["sma_cross"].parameters["fast"] == 100


def test_instruments_are_matched_with_a_tape(tmp_path: Path) -> None:
    tape = ["kraken:BTC/USD", "kraken:ETH/USD", "binance:BTC/USDT", "binance-usdm:BTC/USDT:perp"]
    loaded = load(tmp_path, "[strategies.swing]\ninstruments = ['*:BTC/*', 'kraken:*']\n")
    assert config.instruments_of(loaded, "swing", tape) == tape
    loaded = load(tmp_path, "[strategies.swing]\ninstruments = ['kraken:BTC/USD', 'kraken:BTC/EUR']\n")
    with pytest.raises(
        BadUse, match=r"line 2, key strategies\.swing\.instruments: unknown instrument 'kraken:BTC/EUR'.*kraken:BTC/USD\?"
    ):
        config.instruments_of(loaded, "swing", tape)


def test_only_the_selected_trade(tmp_path: Path) -> None:
    loaded = config.selected(load(tmp_path), ["swing", "sma_cross"])
    assert [name for name, item in loaded.config.strategies.items() if item.enabled] == ["swing", "sma_cross"]
    assert config.selected(loaded, []) is loaded


@pytest.mark.parametrize(
    ("text", "line"),
    [("[run]\nseed = 1\nseed = 2\nout = 'x'\n", 3), ("[run]\n\n[risk]\n[run]\n\n", 4), ('[run]\nout = """x\n', 2), ("\n\n]", 3)],
)
def test_syntax_errors_name_the_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(BadUse) as caught:
        load(tmp_path, text)
    assert caught.value.where == f"{tmp_path / 'tradewind.toml'}, line {line}"


def test_python_file_is_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    loaded = load(tmp_path, "[strategies.mine]\nkind = 'python:mine.py'\n[strategies.swing]\n")
    assert loaded.python_file("mine") == tmp_path / "mine.py"
    assert loaded.python_file("swing") is None


def test_sizes_stand_for_money() -> None:
    assert Size(Decimal("0.25"), share=True).of(Decimal(1000)) == 250
    assert Size(Decimal(99)).of(Decimal(1000)) == 99


# Units -------------------------------------------------------------------------------------------------------------------
@given(st.integers(0, units.LONGEST_NS))
def test_duration_text_reads_back(ns: int) -> None:
    assert units.Duration().read(units.duration(ns)) == ns


@given(st.decimals(0, 1, allow_nan=False, places=6))
def test_percentage_and_fraction_are_one(value: Decimal) -> None:
    share = units.Share("0", "1")
    assert share.read(f"{value * 100}%") == share.read(value) == value


@pytest.mark.parametrize(
    ("text", "ns"), [("2ms", 2_000_000), ("1.5s", 1_500_000_000), ("3 µs", 3_000), ("7", 7), (7, 7), ("1d", 86_400 * 10**9)]
)
def test_durations(text: Any, ns: int) -> None:
    assert units.Duration().read(text) == ns


@given(st.one_of(st.text(max_size=12), st.integers(), st.booleans(), st.floats(), st.lists(st.integers(), max_size=2)))
def test_every_kind_refuses_or_gives_a_value(junk: Any) -> None:
    for path, key, _ in leaves(Config()):
        for way in (key.kind.read, key.kind.read_text):
            if way == key.kind.read_text and not isinstance(junk, str):
                continue
            refused = _refusal(way, junk)
            assert refused is None or refused.expected, path


def _refusal(way: Callable[[Any], Any], value: Any) -> units.Wrong | None:
    """What `way` says against `value`; any other exception fails the test."""
    try:
        way(value)
    except units.Wrong as wrong:
        return wrong
    return None


# Lines -------------------------------------------------------------------------------------------------------------------
TRICKY = '''# [fake]
title = """
[not.a.table]
key = 1
"""   # comment ] [
"quoted.key" = 'it''s' # x
'''.replace("'it''s'", '"it\'s = [1"')
TABLES = """[a.b]
c.d = 1
list = [ # [x]
  "]", '#', [1,
  2],
]
last = {x = 1, "y" = [2]}
[[many]]
k = 1

[  "q.r" . s ]
t=1
"""


def test_lines_of_tricky_toml() -> None:
    tomllib.loads(TRICKY + TABLES)  # it is TOML
    lines = key_lines(TRICKY + TABLES)
    first = TRICKY.count("\n")
    assert lines[("title",)] == 2
    assert lines[("quoted.key",)] == 6
    assert ("fake",) not in lines
    assert ("not", "a", "table") not in lines
    wanted = {
        ("a", "b"): 1,
        ("a", "b", "c", "d"): 2,
        ("a", "b", "list"): 3,
        ("a", "b", "last"): 7,
        ("many", "k"): 9,
        ("q.r", "s", "t"): 12,
    }
    assert {path: lines[path] - first for path in wanted} == wanted
    assert line_of(lines, ("a", "b", "last", "x")) - first == 7
    assert line_of({}, ("zz",)) == 1


NAMES = st.sampled_from(["a", "b-c", '"d e"', "'f.g'", "h1"])
VALUES = st.sampled_from(
    ["1", '"]#["', "'''\nx = 1\n'''", "[\n1, # ]\n2]", '"""a\\"""b"""', "{x = '}'}", "1979-05-27 07:32:00", "''"]
)


@given(st.lists(st.tuples(NAMES, VALUES), unique_by=lambda pair: pair[0]), st.lists(st.sampled_from(["", "# x = 1", "  "])))
def test_every_key_stands_on_its_line(pairs: list[tuple[str, str]], blanks: list[str]) -> None:
    text, wanted = "\n".join([*blanks, "[t]", ""]), {}
    for name, value in pairs:
        wanted[("t", tomllib.loads(f"{name} = 1").popitem()[0])] = text.count("\n") + 1
        text += f"{name} = {value} # end\n"
    tomllib.loads(text)
    lines = key_lines(text)
    assert {path: lines[path] for path in wanted} == wanted
    assert set(lines) == {*wanted, ("t",)}


# The schema ----------------------------------------------------------------------------------------------------------------
def test_every_key_says_what_it_is_for() -> None:
    def look(node: Any, path: tuple[str, ...]) -> None:
        if isinstance(node, Leaf):
            assert node.key.doc.endswith("."), path
            assert node.key.kind.expected != "a value", path
        elif isinstance(node, Named):
            look(node.item, (*path, "NAME"))
        else:
            assert node.type.__doc__, path
            for name, child in children(node.type).items():
                look(child, (*path, name))

    look(ROOT, ())


def test_page_is_made_from_the_schema(repo: Path) -> None:
    made = reference.page()
    assert (repo / "docs" / "configuration.md").read_text(encoding="utf-8") == made, "make it again: reference.page()"
    assert all(f"`{path[-1]}`" in made or dotted(path[-2:]) in made for path, _, _ in leaves(Config()))


def test_a_setup_of_its_own_has_the_collars_of_the_configuration() -> None:
    collar = Config().risk.collar_bps
    assert Setup(instruments=(), reporting="USD", strategies=()).collars_bp == (collar.A, collar.B, collar.C)


def test_configuration_goes_into_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(Config()))["run"]["capital"] == {"amount": "10000", "currency": "USD"}
    assert Strategy().instruments == ("*",)
