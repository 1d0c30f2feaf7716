"""What our parser accepts, python3-h11 and node's llhttp read in the same way, or refuse. A bounded run, the same each
time; `make differential TIME=seconds` goes on for as long as one likes."""
import pathlib
import sys

import pytest

from conftest import OUT

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "differential"))
import differential  # noqa: E402
import mutations  # noqa: E402

VARIATIONS = 2000


@pytest.mark.parametrize("peer", sorted(differential.PEERS))
def test_what_we_accept_a_peer_reads_in_the_same_way_or_refuses(peer, capsys):
    if not differential.PEERS[peer][0]():
        pytest.skip(f"{peer} is not installed")
    inputs = mutations.Inputs(seed=1)
    run = differential.Run(OUT / "tests" / "differential" / "read_messages", [peer])
    run.check(inputs.corpus())
    run.check(inputs.mutate(VARIATIONS))
    run.report()
    assert run.accepted_count > 300, "too few inputs are accepted for a comparison"
    assert not run.findings, capsys.readouterr().out
