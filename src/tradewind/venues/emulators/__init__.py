"""Emulated venues: servers on loopback that speak as Binance, Kraken and Coinbase do, and misbehave on request.

In: a seed, a pace, a script of faults. Out: REST and WebSocket as the venues document them, and the truth behind them
(`Sandbox.market`): every change of every book, every trade. They judge the adapters, so they share no code with them: nothing here
imports a `wire`, an adapter or the simulation, and nothing there imports this.

Reading order: sandbox (all together), flow and book (what happens), stage (when), venue (what all share), binance, kraken, coinbase
(their words) each with its `_rest`, limits, faults, server (sockets).
"""
