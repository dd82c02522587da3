"""The command line of one agent: what it reads and what it says about mistakes.

agents/__main__.py, without starting anything.
"""

from __future__ import annotations

import errno

import pytest

from agents.__main__ import CAST, Settings, read_settings, why_not_listening


def test_without_flags_each_agent_has_its_own_port_on_loopback() -> None:
    settings = [read_settings([name], {}) for name in CAST]
    assert [s.port for s in settings] == [8001, 8002, 8003, 8004]
    assert {s.host for s in settings} == {"127.0.0.1"}
    assert {s.step_s for s in settings} == {1.0}


def test_the_environment_sets_port_and_step_time() -> None:
    environ = {"WALTER_PORT": "9002", "CARLY_PORT": "1", "COURTSIDE_STEP_S": "0.2"}
    settings = read_settings(["walter"], environ)
    assert (settings.port, settings.step_s) == (9002, 0.2)


def test_a_flag_wins_over_the_environment() -> None:
    environ = {"CARLY_PORT": "9001", "COURTSIDE_STEP_S": "0.2"}
    settings = read_settings(["carly", "--port=9999", "--step-s=0"], environ)
    assert (settings.port, settings.step_s) == (9999, 0.0)


def test_an_unknown_name_is_answered_with_the_four(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(["bob"], {})
    said = capsys.readouterr().err
    assert "there is no agent 'bob'; choose one of: carly, walter, logan, nancy" in said


@pytest.mark.parametrize("port", ["eight", "-1", "65536", "80.5"])
def test_a_port_that_is_none_is_refused_with_both_ways_to_set_it(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(["logan"], {"LOGAN_PORT": port})
    assert (
        f"'{port}' is no port; give --port (or LOGAN_PORT)" in capsys.readouterr().err
    )


@pytest.mark.parametrize("step_s", ["fast", "-1", "inf", "nan"])
def test_a_step_time_that_is_none_is_refused_with_both_ways_to_set_it(
    step_s: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(["carly", f"--step-s={step_s}"], {})
    said = capsys.readouterr().err
    assert f"'{step_s}' is no time; give --step-s (or COURTSIDE_STEP_S)" in said


def test_a_taken_port_is_named_with_what_to_do() -> None:
    settings = Settings(CAST["carly"], "127.0.0.1", 8001, 1.0)
    assert why_not_listening(settings, OSError(errno.EADDRINUSE, "in use")) == (
        "carly: port 8001 on 127.0.0.1 is already in use; stop what uses it "
        "or choose another with --port (or CARLY_PORT)"
    )


def test_another_trouble_with_the_address_is_told_with_its_cause() -> None:
    settings = Settings(CAST["nancy"], "1.2.3.4", 80, 1.0)
    said = why_not_listening(settings, OSError(errno.EADDRNOTAVAIL, "Cannot assign"))
    assert said.startswith("nancy: port 80 on 1.2.3.4 cannot be used (Cannot assign)")
