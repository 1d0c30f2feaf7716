"""The command line: what it prints, and its exit codes."""

import json

import pytest

from conftest import run_portico


@pytest.mark.parametrize(
    "arguments, what",
    [
        ([], "portico: no command; see 'portico help'\n"),
        (["nonsense"], "portico: unknown command 'nonsense'; see 'portico help'\n"),
        (["run"], "portico run: missing: '--config'; see 'portico help'\n"),
        (["run", "--config"], "portico run: no value for '--config'; see 'portico help'\n"),
        (["run", "--config", "a", "--config", "b"], "portico run: given twice: '--config'; see 'portico help'\n"),
        (["run", "--confi", "a"], "portico run: unknown option '--confi'; see 'portico help'\n"),
        (["run", "extra"], "portico run: one argument too many: 'extra'; see 'portico help'\n"),
        (["health"], "portico health: missing: '--config'; see 'portico help'\n"),
        (["check"], "portico check: missing: 'FILE'; see 'portico help'\n"),
        (["version", "7"], "portico version: one argument too many: '7'; see 'portico help'\n"),
        (["config", "hide", "x"], "portico config: 'show' or 'reference', not 'hide'; see 'portico help'\n"),
        (["task-definition"], "portico task-definition: 'check' or 'reference', not ''; see 'portico task-definition help'\n"),
        (["task-definition", "check"], "portico task-definition check: missing: 'FILE'; see 'portico help'\n"),
        (["control", "--config", "x"], "portico control: missing: '--state-dir'; see 'portico help'\n"),
        (["proxy", "--link-fd", "x"], "portico proxy: not a number: 'x'; see 'portico help'\n"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(arguments, what):
    done = run_portico(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", what)


def test_a_proxy_that_nobody_has_given_anything_says_so():
    done = run_portico("proxy")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "--snapshot FILE" in done.stderr


@pytest.mark.parametrize("word", ["version", "--version"])
def test_version_names_build_and_libraries(word):
    done = run_portico(word)
    assert done.returncode == 0 and done.stderr == ""
    for library in ("libevent", "libcurl", "jansson", "libyaml", "sqlite", "libseccomp"):
        assert library in done.stdout
    assert done.stdout.startswith("portico 0.")


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
def test_help_shows_every_public_command(word):
    done = run_portico(word)
    assert done.returncode == 0
    for command in ("run --config", "health --config", "check", "config show", "config reference", "task-definition check FILE", "proxy --snapshot", "version"):
        assert f"portico {command}" in done.stdout
    assert "jail-test" not in done.stdout and "control" not in done.stdout.split("\n\n", 1)[1].replace("controller", "")


def test_check_says_what_is_wrong_and_where(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("listeners:\n  - address: nowhere\nproxy:\n  worker: 2\n")
    done = run_portico("check", str(path))
    assert done.returncode == 2 and done.stdout == ""
    assert any(line.startswith(f"{path}:2:") for line in done.stderr.splitlines())
    assert any(line.startswith(f"{path}:4:") and "workers" in line for line in done.stderr.splitlines())


def test_check_of_a_good_file_is_one_line(tmp_path):
    path = tmp_path / "good.yaml"
    path.write_text("services:\n  - {name: web, image: web:1, port: 80}\n")
    done = run_portico("check", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{path}: ok, 1 listeners, 1 services\n"


def test_check_of_a_missing_file_is_exit_code_2(tmp_path):
    done = run_portico("check", str(tmp_path / "none.yaml"))
    assert done.returncode == 2 and "none.yaml" in done.stderr


def test_config_show_hides_secrets_unless_asked(tmp_path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"admin": {"token": "very-secret-token-0123456789"}}))
    hidden = run_portico("config", "show", str(path))
    shown = run_portico("config", "show", str(path), "--secrets")
    assert hidden.returncode == shown.returncode == 0
    assert "very-secret" not in hidden.stdout and "very-secret-token-0123456789" in shown.stdout


def test_config_show_is_a_configuration_with_the_same_meaning(tmp_path):
    path, again = tmp_path / "c.json", tmp_path / "again.yaml"
    path.write_text(json.dumps({"services": [{"name": "web", "image": "web:1", "port": 80, "environment": {"A": "$$x"}}]}))
    first = run_portico("config", "show", "--secrets", str(path))
    assert first.returncode == 0, first.stderr
    again.write_text(first.stdout)
    second = run_portico("config", "show", "--secrets", str(again))
    assert second.stdout == first.stdout


def test_config_reference_is_markdown_about_every_section():
    done = run_portico("config", "reference")
    assert done.returncode == 0
    for word in ("listeners", "docker", "services", "drain", "stateDir"):
        assert word in done.stdout
    assert run_portico("config", "reference", "more").returncode == 2


def test_a_proxy_alone_refuses_a_bad_snapshot(tmp_path):
    path = tmp_path / "s.json"
    path.write_text('{"version": 1, "serial": 1, "listeners": [{"address": "127.0.0.1:0"}]}')
    done = run_portico("proxy", "--snapshot", str(path))
    assert done.returncode == 2 and "127.0.0.1:0" in done.stderr


GOOD_DEFINITION = {"family": "f", "taskRoleArn": "arn:x", "containerDefinitions": [{"name": "a", "image": "i"}]}
BAD_DEFINITION = {"family": "f", "containerDefinitions": [{"name": "a", "image": "i", "memory": "5"}, {"name": "a"}]}


def test_a_good_task_definition_is_summed_up_with_what_has_no_effect(tmp_path):
    path = tmp_path / "good.json"
    path.write_text(json.dumps(GOOD_DEFINITION))
    done = run_portico("task-definition", "check", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"{path}: ok, family f, 1 container, 0 volumes\n{path}: taskRoleArn: ignored, there are no roles of IAM outside of AWS\n"
    )


def test_all_that_is_wrong_with_a_task_definition_is_said_at_once(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(BAD_DEFINITION))
    done = run_portico("task-definition", "check", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert lines[0] == f"{path}: containerDefinitions[0].memory: invalid type: string, valid type: integer"
    assert [line.split(": ")[1] for line in lines] == [
        f"containerDefinitions[{field}" for field in ("0].memory", "1].image", "1].name")
    ]


def test_what_is_no_task_definition_at_all_is_said_of_the_document(tmp_path):
    path = tmp_path / "none.json"
    done = run_portico("task-definition", "check", str(path))
    assert (done.returncode, done.stderr) == (1, f"{path}: document: cannot be read: No such file or directory\n")
    path.write_text("{")
    done = run_portico("task-definition", "check", str(path))
    assert done.returncode == 1 and done.stderr.startswith(f"{path}: document: ") and done.stderr.count("\n") == 1
    path.write_text(" " * (256 * 1024 + 1))
    done = run_portico("task-definition", "check", str(path))
    assert (done.returncode, done.stderr) == (1, f"{path}: document: is longer than 262144 bytes\n")


def test_a_task_definition_is_read_from_standard_input():
    done = run_portico("task-definition", "check", "-", input=json.dumps(GOOD_DEFINITION))
    assert done.returncode == 0 and done.stdout.startswith("-: ok, family f")


def test_the_command_for_task_definitions_has_a_help_page():
    done = run_portico("task-definition", "help")
    assert done.returncode == 0 and "portico task-definition check FILE" in done.stdout and "Exit code" in done.stdout
