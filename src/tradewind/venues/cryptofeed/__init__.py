"""Captures of cryptofeed: raw connections of many venues, as its tests keep them."""
