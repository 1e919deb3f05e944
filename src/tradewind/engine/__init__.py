"""The engine: the machine itself, how it is composed, driven, begun, copied and folded.

In: a composition (which features, which strategies, how large) and rows. Out: commands, and a state whose bytes are its snapshot.

Reading order: machine (the picture of the system), settings (its bookkeeping), slots (what a composition fills in), drive (machine
and simulated venue in one loop), compose (how the source is put together and compiled), prelude (the first rows), snapshot
(bytes and digests), fold (facts alone), batch (features over a whole frame).
"""
