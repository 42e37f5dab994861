"""Have Ctrl-C work in the processes that tests start, also where the tests run in the background and ignore it."""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
