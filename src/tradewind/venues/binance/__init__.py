"""Binance, spot and USD-M: diffs chained by update id, best quotes, trades, depth snapshots."""
