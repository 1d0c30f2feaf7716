"""What is installed beside the program."""
import pathlib
import shutil
import subprocess

import pytest

from conftest import OUT

UNIT = pathlib.Path(__file__).parents[2] / "packaging" / "portico.service"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_takes_the_unit_without_a_word(tmp_path):
    unit = tmp_path / "portico.service"
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/portico", str(OUT / "portico")))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "portico.service" not in done.stderr, done.stderr


def test_the_unit_calls_what_the_program_has():
    said = subprocess.run([OUT / "portico", "help"], capture_output=True, text=True, timeout=60).stdout
    for line in UNIT.read_text().splitlines():
        if line.startswith("Exec") and "/portico " in line:
            assert f"portico {line.split('/portico ')[1].split()[0]} " in said, line
