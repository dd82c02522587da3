"""Runs the host without its limit of the event loop's time for each agent.

`python -m tests.support.patient_host …`: the options are the host's. On a slow machine,
the limit of the time slows an agent down before it reaches a limit of its updates.
"""

from __future__ import annotations

from functools import partial

from host.cli.main import main
from host.clients.loop_budget import LoopBudget
from host.following import collector

if __name__ == "__main__":
    vars(collector)["LoopBudget"] = partial(LoopBudget, share=1e9)
    main()
