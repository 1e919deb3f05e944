"""Finished bars from files of any venue."""
