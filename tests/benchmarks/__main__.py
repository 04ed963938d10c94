"""`make bench`: measures everything on real services, prints a table, writes build/bench.json."""

from tests.benchmarks.runner import main

main()
