"""What holds for every test."""

import signal
import threading

if threading.current_thread() is threading.main_thread():
    # A shell that starts pytest in the background leaves these ignored, and subprocesses inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
