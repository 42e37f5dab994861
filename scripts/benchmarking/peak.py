"""Run a command and print, as the last line, the most memory that it took, in MB (10^6 bytes).

    python -S peak.py /path/to/program argument ...

A process of its own, with nothing loaded, because the system counts for a started program also what the process that
started it had in memory.
"""

import os
import sys

pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
unit = 1 if sys.platform == "darwin" else 1024
print(usage.ru_maxrss * unit / 1e6)
sys.exit(os.waitstatus_to_exitcode(status))
