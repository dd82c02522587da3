"""Tests the command line of an agent: settings, variables and error messages.

Covers agents/settings.py and process.py. No test starts a process.
"""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from agents.limits import Limits
from agents.process import explain_port_error
from agents.settings import Settings, read_settings
from agents.stubs import STUBS
from tests.support.stack import SEED_AGENTS


def test_each_stub_has_its_own_default_port_on_loopback() -> None:
    settings = [read_settings([name], {}) for name in STUBS]
    assert len({s.port for s in settings}) == len(STUBS)
    assert {s.host for s in settings} == {"127.0.0.1"}
    assert {s.step_s for s in settings} == {1.0}


def test_stubs_of_the_lesson_have_the_ports_of_the_lesson() -> None:
    ports = [read_settings([name], {}).port for name in SEED_AGENTS]
    assert ports == [8001, 8002, 8003, 8004]


def test_variables_set_port_and_step_time() -> None:
    environ = {"WALTER_PORT": "9002", "CARLY_PORT": "1", "COURTSIDE_STEP_S": "0.2"}
    settings = read_settings(["walter"], environ)
    assert (settings.port, settings.step_s) == (9002, 0.2)


def test_flag_overrides_variable() -> None:
    environ = {"CARLY_PORT": "9001", "COURTSIDE_STEP_S": "0.2"}
    settings = read_settings(["carly", "--port=9999", "--step-s=0"], environ)
    assert (settings.port, settings.step_s) == (9999, 0.0)


def test_unknown_name_error_lists_the_stubs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(["bob"], {})
    message = capsys.readouterr().err
    assert f"there is no agent 'bob'; choose one of: {', '.join(STUBS)}" in message


@pytest.mark.parametrize("port", ["eight", "-1", "65536", "80.5"])
def test_invalid_port_error_names_flag_and_variable(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(["logan"], {"LOGAN_PORT": port})
    expected = (
        f"--port (or LOGAN_PORT) must be a whole number from 0 to 65535, not '{port}'"
    )
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("step_s", ["fast", "-1", "inf", "nan"])
def test_invalid_step_time_error_names_flag_and_variable(
    step_s: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(["carly", f"--step-s={step_s}"], {})
    expected = (
        "--step-s (or COURTSIDE_STEP_S) must be a number of seconds from 0 to 86400"
    )
    assert f"{expected}, not '{step_s}'" in capsys.readouterr().err


def test_task_limits_can_be_set_and_have_defaults() -> None:
    assert read_settings(["carly"], {}).limits == Limits()
    environ = {"COURTSIDE_KEEP_TASKS": "50", "COURTSIDE_KEEP_S": "60"}
    assert read_settings(["carly"], environ).limits == Limits(tasks=50, age_s=60)
    flags = ["carly", "--keep-tasks=5", "--keep-s=0.5"]
    assert read_settings(flags, environ).limits == Limits(tasks=5, age_s=0.5)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--keep-tasks=few", "--keep-tasks (or COURTSIDE_KEEP_TASKS) must be a whole"),
        ("--keep-tasks=1.5", "a whole number from 0 to 1000000, not '1.5'"),
        ("--keep-s=-1", "--keep-s (or COURTSIDE_KEEP_S) must be a number of seconds"),
        (
            "--grpc-port=0",
            "--grpc-port must be a whole number from 1 to 65535, not '0'",
        ),
    ],
)
def test_other_invalid_numbers_are_refused(
    flag: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(["carly", flag], {})
    assert message in capsys.readouterr().err


def test_grpc_is_off_by_default() -> None:
    assert read_settings(["carly"], {}).grpc_port is None
    assert read_settings(["carly", "--grpc-port=9001"], {}).grpc_port == 9001


def test_port_in_use_error_says_what_to_do() -> None:
    settings = Settings(STUBS["carly"], "127.0.0.1", 8001, 1.0)
    assert explain_port_error(settings, OSError(errno.EADDRINUSE, "in use")) == (
        "carly: port 8001 on 127.0.0.1 is already in use; stop what uses it "
        "or choose another with --port (or CARLY_PORT)"
    )


def test_other_port_error_has_its_cause() -> None:
    settings = Settings(STUBS["nancy"], "1.2.3.4", 80, 1.0)
    message = explain_port_error(
        settings, OSError(errno.EADDRNOTAVAIL, "Cannot assign")
    )
    assert message.startswith(
        "nancy: port 80 on 1.2.3.4 cannot be used (Cannot assign)"
    )


AGENT_FILE = """
from agents.steps import AgentSpec, Deliver, Request, Script, Skill

async def book(request: Request) -> Script:
    yield Deliver("A table for four.")

{name} = AgentSpec("rosa", "Rosa", "Books.", (Skill("a", "A", "B", book, (), ()),))
"""


def test_agent_is_loaded_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rosa.py"
    file.write_text(AGENT_FILE.format(name="ROSA"), encoding="utf-8")

    settings = read_settings([str(file)], {"ROSA_PORT": "9005"})

    assert (settings.spec.name, settings.port) == ("rosa", 9005)
    assert read_settings([str(file)], {}).port == 1 + max(
        stub.port for stub in STUBS.values()
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "there is no file"),
        ("", "must have one agent, as in agents/stubs/carly.py"),
        (AGENT_FILE.format(name="ONE") + AGENT_FILE.format(name="TWO"), "it has 2"),
    ],
)
def test_file_must_have_exactly_one_agent(
    content: str | None,
    complaint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "rosa.py"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit, match="2"):
        read_settings([str(file)], {})
    assert complaint in capsys.readouterr().err
