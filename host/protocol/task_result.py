"""Builds the result of a completed task: the text of its artifacts, with a limit."""

from __future__ import annotations

from msgspec.structs import replace

from ..model.event import TaskEvent
from ..model.shorten import count_bytes, cut_text
from .task_record import TaskRecord

# The text of a short report. The artifacts in the feed have the whole.
MAX_RESULT_BYTES = 64 * 1024
MAX_RESULT_ARTIFACTS = 20


def add_result(row: TaskEvent, record: TaskRecord) -> TaskEvent:
    """Return the row with its result. Without artifacts, it is the last message."""
    texts: list[str] = []
    artifacts: list[str] = []
    size = kept = 0
    for artifact_id, artifact in record.artifacts.items():
        if not artifact.text_bytes:
            continue
        room = MAX_RESULT_BYTES - size
        separator = "\n\n" if artifacts else ""
        if room > 0 and kept == size:
            texts.append(separator + artifact.read_text(room))
            kept += count_bytes(texts[-1])
        size += len(separator) + artifact.text_bytes
        artifacts.append(artifact_id)
    if not artifacts:
        texts, size = _last_message(row, record)
    result = cut_text("".join(texts), MAX_RESULT_BYTES)
    if count_bytes(result) == size:
        return replace(row, result=result)
    return replace(
        row,
        result=result,
        shortened={"result": size},
        result_artifacts=artifacts[:MAX_RESULT_ARTIFACTS],
    )


def _last_message(row: TaskEvent, record: TaskRecord) -> tuple[list[str], int]:
    """Return the text of the last message, and its size in bytes."""
    if row.message:
        return [row.message], count_bytes(row.message)
    kept = record.last_message
    return ([kept.start], kept.whole_size) if kept else ([], 0)
