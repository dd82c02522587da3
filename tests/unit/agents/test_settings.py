"""The command line of one agent: what it reads and what it says about mistakes.

agents/settings.py and __main__.py, without starting anything.
"""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from agents.limits import Limits
from agents.process import explain_port_error
from agents.settings import Settings, read_settings
from agents.stubs import STUBS
from tests.support.harness import SEED_AGENTS


def test_without_flags_each_agent_has_its_own_port_on_loopback() -> None:
    settings = [read_settings([name], {}) for name in STUBS]
    assert len({s.port for s in settings}) == len(STUBS)
    assert {s.host for s in settings} == {"127.0.0.1"}
    assert {s.step_s for s in settings} == {1.0}


def test_the_agents_of_the_lesson_have_the_ports_of_the_lesson() -> None:
    ports = [read_settings([name], {}).port for name in SEED_AGENTS]
    assert ports == [8001, 8002, 8003, 8004]


def test_the_environment_sets_port_and_step_time() -> None:
    environ = {"WALTER_PORT": "9002", "CARLY_PORT": "1", "COURTSIDE_STEP_S": "0.2"}
    settings = read_settings(["walter"], environ)
    assert (settings.port, settings.step_s) == (9002, 0.2)


def test_a_flag_wins_over_the_environment() -> None:
    environ = {"CARLY_PORT": "9001", "COURTSIDE_STEP_S": "0.2"}
    settings = read_settings(["carly", "--port=9999", "--step-s=0"], environ)
    assert (settings.port, settings.step_s) == (9999, 0.0)


def test_an_unknown_name_is_refused_with_the_names_of_the_stubs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(["bob"], {})
    said = capsys.readouterr().err
    assert f"there is no agent 'bob'; choose one of: {', '.join(STUBS)}" in said


@pytest.mark.parametrize("port", ["eight", "-1", "65536", "80.5"])
def test_a_port_that_is_none_is_refused_with_both_ways_to_set_it(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(["logan"], {"LOGAN_PORT": port})
    why = f"--port (or LOGAN_PORT) must be a whole number from 0 to 65535, not '{port}'"
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("step_s", ["fast", "-1", "inf", "nan"])
def test_a_step_time_that_is_none_is_refused_with_both_ways_to_set_it(
    step_s: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(["carly", f"--step-s={step_s}"], {})
    why = "--step-s (or COURTSIDE_STEP_S) must be a number of seconds from 0 to 86400"
    assert f"{why}, not '{step_s}'" in capsys.readouterr().err


def test_how_much_is_kept_can_be_set_and_has_defaults() -> None:
    assert read_settings(["carly"], {}).limits == Limits()
    environ = {"COURTSIDE_KEEP_TASKS": "50", "COURTSIDE_KEEP_S": "60"}
    assert read_settings(["carly"], environ).limits == Limits(tasks=50, age_s=60)
    flags = ["carly", "--keep-tasks=5", "--keep-s=0.5"]
    assert read_settings(flags, environ).limits == Limits(tasks=5, age_s=0.5)


@pytest.mark.parametrize(
    ("flag", "said"),
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
def test_other_numbers_are_checked_as_well(
    flag: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(["carly", flag], {})
    assert said in capsys.readouterr().err


def test_there_is_no_grpc_unless_it_is_asked_for() -> None:
    assert read_settings(["carly"], {}).grpc_port is None
    assert read_settings(["carly", "--grpc-port=9001"], {}).grpc_port == 9001


def test_a_taken_port_is_named_with_what_to_do() -> None:
    settings = Settings(STUBS["carly"], "127.0.0.1", 8001, 1.0)
    assert explain_port_error(settings, OSError(errno.EADDRINUSE, "in use")) == (
        "carly: port 8001 on 127.0.0.1 is already in use; stop what uses it "
        "or choose another with --port (or CARLY_PORT)"
    )


def test_another_trouble_with_the_address_is_told_with_its_cause() -> None:
    settings = Settings(STUBS["nancy"], "1.2.3.4", 80, 1.0)
    said = explain_port_error(settings, OSError(errno.EADDRNOTAVAIL, "Cannot assign"))
    assert said.startswith("nancy: port 80 on 1.2.3.4 cannot be used (Cannot assign)")


OWN = """
from agents.steps import AgentSpec, Deliver, Request, Script, Skill

async def book(request: Request) -> Script:
    yield Deliver("A table for four.")

{name} = AgentSpec("rosa", "Rosa", "Books.", (Skill("a", "A", "B", book, (), ()),))
"""


def test_an_agent_of_ones_own_is_started_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "rosa.py"
    file.write_text(OWN.format(name="ROSA"), encoding="utf-8")

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
        (OWN.format(name="ONE") + OWN.format(name="TWO"), "it has 2"),
    ],
)
def test_a_file_without_just_one_agent_is_refused_with_what_it_must_have(
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
