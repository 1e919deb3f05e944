"""Simulation: a venue's physics, and a world to trade in.

In: command rows and market rows. Out: reports, fills and fees, later. The machine cannot tell whether they come from here.

Reading order: venue (the desk), latency (the frame of time everything is in), matching (who meets whom), queue (what stands
ahead), fees; world/ is apart: seeded order flow at several venues, as tape rows.
"""
