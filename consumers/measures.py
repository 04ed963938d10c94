"""What capture tells of itself: counts for /metrics, and when it last got on."""

import time

from prometheus_client import Counter, Gauge, Histogram

from consumers.writer import Pending

_EVENTS = Counter("reviewsvc_captured_events", "Entries made from Kafka records.", ["kind"])
_TASKS = Counter("reviewsvc_routed_tasks", "Tasks asked for by routed predictions, repeats included.")
_DELAY = Histogram("reviewsvc_capture_lag_seconds", "From a record's time in Kafka to its commit.")
_BATCH = Histogram("reviewsvc_capture_batch_seconds", "From sending a batch to the database to its commit.")
_COMMITTED = Gauge("reviewsvc_capture_last_commit_timestamp_seconds", "When a batch was last made durable.")
_PARTITIONS = Gauge("reviewsvc_capture_partitions", "Partitions that this process captures.")
_STOPPED = Gauge("reviewsvc_capture_stopped_partitions", "Partitions that wait for an operator.")


class Measures:
    """Counts of one process."""

    def __init__(self) -> None:
        self.wrote_at = time.monotonic()

    def captured(self, pending: Pending) -> None:
        """Count a batch that became durable."""
        self.wrote_at = time.monotonic()
        now = time.time()
        _COMMITTED.set(now)
        _BATCH.observe(pending.seconds)
        for work, rows in zip(pending.works, pending.rows, strict=True):
            _EVENTS.labels("prediction").inc(len(rows.predictions))
            _EVENTS.labels("quarantine").inc(len(rows.quarantined))
            _TASKS.inc(len(rows.tasks))
            if work.arrived:
                _DELAY.observe(max(0.0, now - work.arrived[-1].at_us / 1e6))

    def has(self, partitions: int, stopped: int) -> None:
        """Note how many partitions are captured, and how many should be but are stopped."""
        _PARTITIONS.set(partitions)
        _STOPPED.set(stopped)
