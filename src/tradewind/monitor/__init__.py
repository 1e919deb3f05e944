"""What a run is told by: its record, its statistics, its report.

In: a `RunRecord`, the frames, counts and identity that a run left behind. Out: figures with units, intervals and reasons, a
table for the terminal, and one self-contained HTML page. Nothing here reaches into an engine.

Read in this order: record (what comes in) · figures (what a table holds) · estimators (on plain arrays) · trips (closed
trades) · statistics (the measuring) · cautions (what to beware of) · words (numbers for people) · tables (terminal) ·
thin (fewer points, same look) · plots (what is drawn) · report (the page).
"""
