"""Tradewind: an autonomous crypto trading system. One machine, one tape."""

__version__ = "0.1.0"
