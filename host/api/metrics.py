"""Owns what the host tells Prometheus of itself: read at each scrape, from its parts.

The observatory serves it. Nothing here is on the path of an event: the few things that
must be counted while they happen are counted by their owners, as plain integers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Metric,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector

from ..config.agent_settings import HOST_NAME
from ..feed.fanout import Fanout
from ..feed.feed import Feed
from ..following.collector import Collector as AgentCollector
from ..following.roster import Roster
from ..model.histogram import DurationHistogram

LAG_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics(Collector):
    """What prometheus_client collects. The label `agent` is only ever the name of an
    agent that is followed, or `host`: nobody can make more series than agents."""

    def __init__(
        self, feed: Feed, fanout: Fanout, roster: Roster, version: str
    ) -> None:
        self.lag = DurationHistogram(*LAG_S)
        self._feed = feed
        self._fanout = fanout
        self._roster = roster
        self._version = version

    def registry(self) -> CollectorRegistry:
        """Of this host alone, with the process that it is."""
        registry = CollectorRegistry()
        registry.register(self)
        for collect in (ProcessCollector, PlatformCollector, GCCollector):
            collect(registry=registry)
        return registry

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(
            "courtside", "Which Courtside this is", {"version": self._version}
        )
        yield from self._of_feed()
        yield from self._of_readers()
        yield from self._of_agents(self._roster.collectors())

    def _of_feed(self) -> Iterator[Metric]:
        feed = self._feed
        yield _gauge("feed_head_id", "The id of the newest event", feed.head)
        yield _gauge("append_queue", "Entries that wait to be durable", feed.queued)
        yield _gauge(
            "log_failing", "1 while the log cannot be written", feed.fault is not None
        )
        yield _histogram(
            "log_commit_seconds", "How long the log took to commit", feed.commits
        )
        yield _histogram(
            "event_loop_lag_seconds", "How late the event loop was", self.lag
        )

    def _of_readers(self) -> Iterator[Metric]:
        readers, lagging = self._fanout.count()
        yield _gauge("readers", "Open responses of /feed and /tasks/stream", readers)
        yield _gauge("readers_lagging", "Readers that are being caught up", lagging)

    def _of_agents(self, collectors: Iterable[AgentCollector]) -> Iterator[Metric]:
        board = self._feed.board
        names = {collector.name for collector in collectors} | {HOST_NAME}
        events = CounterMetricFamily(
            "courtside_events", "Events published", labels=["agent", "kind"]
        )
        gaps = CounterMetricFamily(
            "courtside_gaps", "Gaps: events may be missing", labels=["agent"]
        )
        for (agent, kind), count in sorted(self._feed.published_by.items()):
            if agent in names:
                events.add_metric([agent, kind], count)
        for agent in sorted(names):
            gaps.add_metric([agent], self._feed.published_by[agent, "gap"])
        yield from (events, gaps)
        tasks = GaugeMetricFamily(
            "courtside_open_tasks", "Tasks not at an end", labels=["agent", "status"]
        )
        opened = Counter((row.agent, row.status) for row in board.open.values())
        for (agent, status), count in sorted(opened.items()):
            if agent in names:
                tasks.add_metric([agent, status], count)
        yield tasks
        connected = GaugeMetricFamily(
            "courtside_agent_connected", "1 while it is connected", labels=["agent"]
        )
        left_out = CounterMetricFamily(
            "courtside_updates_left_out",
            "Updates that were too many, or that nobody could read",
            labels=["agent"],
        )
        for collector in collectors:
            row = board.agents.get(collector.name)
            connected.add_metric(
                [collector.name], row is not None and row.connection == "connected"
            )
            left_out.add_metric([collector.name], collector.left_out)
        yield from (connected, left_out)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"courtside_{name}", text, value)


def _histogram(name: str, text: str, durations: DurationHistogram) -> Metric:
    ends = [*map(str, durations.bounds_s), "+Inf"]
    buckets = list(zip(ends, accumulate(durations.counts), strict=True))
    return HistogramMetricFamily(
        f"courtside_{name}", text, buckets=buckets, sum_value=durations.sum_s
    )
