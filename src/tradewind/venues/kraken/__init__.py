"""Kraken v2: a book of fixed depth whose every message carries a CRC32 of its top ten levels."""
