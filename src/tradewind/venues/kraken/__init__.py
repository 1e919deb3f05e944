"""kraken"""
