"""Everything that the proxy asks of libc and of the kernel fails once, at every place of one fixed conversation: memory and
system calls. A request that meets the fault may be refused; no answer may be wrong, nothing may hang, and a request
behind the fault is answered."""
import errno
import os
import signal

import pytest

from conversation import NAMES, answer_all_kinds, ask, converse, start
from faults import SHIM, Faults
from proxy_alone import OUT, open_log_text
from proxy_fixtures import upstream  # noqa: F401 (fixture)

