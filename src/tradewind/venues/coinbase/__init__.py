"""Coinbase Advanced Trade: full books, trades and best quotes behind one count of frames per connection."""
