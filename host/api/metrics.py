"""Serves /metrics: collects the host's figures for Prometheus at each scrape.

Nothing here runs when an event is published. The feed and the collectors keep the
counters, as plain integers.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
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
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..config.agent_settings import HOST_NAME
from ..feed.feed import Feed
from ..feed.sse_fanout import Fanout
from ..following.roster import Roster
from ..model.histogram import DurationHistogram
from ..version import VERSION

LAG_EVERY_S = 0.5
LAG_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics(Collector):
    """Serves `routes`. `run` measures the lag of the event loop.

    The label `agent` has only the names of followed agents and `host`, so the number of
    series is bounded.
    """

    def __init__(self, feed: Feed, fanout: Fanout, roster: Roster) -> None:
        self._lag = DurationHistogram(*LAG_S)
        self._feed = feed
        self._fanout = fanout
        self._roster = roster
        self._registry = CollectorRegistry()
        self._registry.register(self)
        for collect in (ProcessCollector, PlatformCollector, GCCollector):
            collect(registry=self._registry)

    def routes(self) -> list[Route]:
        return [Route("/metrics", self.metrics)]

    async def run(self) -> None:
        while True:
            due = time.perf_counter() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._lag.add(max(0.0, time.perf_counter() - due))

    async def metrics(self, request: Request) -> Response:
        """Respond in Prometheus' text format, or in OpenMetrics if accepted."""
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        headers = {"cache-control": "no-store", "content-type": media_type}
        return Response(encode(self._registry), headers=headers)

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("courtside", "Courtside's version", {"version": VERSION})
        yield from self._collect_feed()
        yield from self._collect_events()
        yield from self._collect_agents()

    def _collect_feed(self) -> Iterator[Metric]:
        feed = self._feed
        readers, lagging = self._fanout.count()
        failing = feed.fault is not None
        yield _gauge("feed_head_id", "The id of the newest event", feed.head)
        yield _gauge("append_queue", "Entries waiting for their commit", feed.queued)
        yield _gauge("log_failing", "1 while the log cannot be written", failing)
        log = feed.retention.state
        yield _gauge("log_bytes", "Bytes of the log in use", log.bytes)
        yield _gauge("log_max_bytes", "keep_bytes, or 0", log.keep_bytes or 0)
        dropped = _counter("log_dropped_events", "Oldest events that were deleted")
        dropped.add_metric([], log.dropped)
        refused = _counter("log_refused_events", "Events too large for the log")
        refused.add_metric([], feed.queue.refused)
        yield from (dropped, refused)
        yield _gauge("readers", "Open responses of /feed and /tasks/stream", readers)
        yield _gauge("readers_lagging", "Readers that are catching up", lagging)
        yield _histogram(
            "log_commit_seconds", "Duration of a commit", feed.queue.durations
        )
        yield _histogram("event_loop_lag_seconds", "Lag of the event loop", self._lag)

    def _collect_events(self) -> Iterator[Metric]:
        names = sorted({*self._roster.names(), HOST_NAME})
        events = _counter("events", "Published events", "agent", "kind")
        for (agent, kind), count in sorted(self._feed.published_by.items()):
            if agent in names:
                events.add_metric([agent, kind], count)
        gaps = _counter("gaps", "Published gaps: updates may be missing", "agent")
        for agent in names:
            gaps.add_metric([agent], self._feed.published_by[agent, "gap"])
        tasks = GaugeMetricFamily(
            "courtside_open_tasks",
            "Tasks that have not ended",
            labels=("agent", "status"),
        )
        board = self._feed.board
        count_by = Counter(
            (row.agent, "continued" if row.continued_by else row.status)
            for row in board.open.values()
        )
        for (agent, status), count in sorted(count_by.items()):
            if agent in names:
                tasks.add_metric([agent, status], count)
        stalled = GaugeMetricFamily(
            "courtside_stalled_tasks",
            "Open tasks without news for long",
            labels=["agent"],
        )
        stalled_by = Counter(row.agent for row in board.open.values() if row.is_stalled)
        for agent in names:
            stalled.add_metric([agent], stalled_by[agent])
        yield from (events, gaps, tasks, stalled)

    def _collect_agents(self) -> Iterator[Metric]:
        connected = GaugeMetricFamily(
            "courtside_agent_connected", "1 while connected", labels=["agent"]
        )
        left_out = _counter(
            "updates_left_out", "Dropped updates: too many, or unreadable", "agent"
        )
        for collector in self._roster.collectors():
            name = collector.name
            is_connected = self._roster.row(name).connection == "connected"
            connected.add_metric([name], is_connected)
            left_out.add_metric([name], collector.left_out)
        yield from (connected, left_out)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"courtside_{name}", text, value)


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"courtside_{name}", text, labels=labels)


def _histogram(name: str, text: str, durations: DurationHistogram) -> Metric:
    bounds = [*map(str, durations.bounds_s), "+Inf"]
    buckets = list(zip(bounds, accumulate(durations.counts), strict=True))
    return HistogramMetricFamily(
        f"courtside_{name}", text, buckets=buckets, sum_value=durations.sum_s
    )
