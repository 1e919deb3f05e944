"""Any other venue, through ccxt: a frame format of our own with numbers as text, and the adapter that reads it."""

BRIDGE = "bridge"
"""What the names of its venues begin with: `bridge.EXCHANGE`."""
