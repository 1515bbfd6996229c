"""Settings for tests of what is shipped to TVM."""

import os

# TVM would bind the thread of the tests to one processor
os.environ.setdefault("TVM_BIND_THREADS", "0")
