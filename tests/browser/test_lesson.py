"""The snippet of the lesson works unchanged in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.screen import Screen
from tests.support.stack import Stack

if TYPE_CHECKING:
    from tests.support.stack import Stack

SNIPPET = """
const es = new EventSource('/tasks/stream');
es.onmessage = (event) => {
    const update = JSON.parse(event.data);
    console.log(`Task ${update.task_id}: ${update.status} (${update.progress}%)`);
    updateTaskDisplay(update);
};
"""


async def test_the_lesson_snippet_follows_a_task_to_its_end(
    screen: Screen, stack: Stack
) -> None:
    page = screen.page
    await page.evaluate(
        "() => { window.seen = []; window.updateTaskDisplay = u => seen.push(u) }"
    )
    # This code runs in the debugger, like in a console. CSP does not apply to it.
    await page.evaluate(f"() => {{ {SNIPPET} }}")
    await screen.card("carly").start_skill("calendar_check")
    await page.wait_for_function(
        "() => seen.some(update => update.status === 'completed')"
    )
    seen = await page.evaluate("() => seen")
    assert len({update["task_id"] for update in seen}) == 1
    running = [u["progress"] for u in seen if u["status"] == "running"]
    assert running == [0, 25, 50, 75]
    assert seen[-1]["result"] == "Found 3 available slots for tomorrow!"
