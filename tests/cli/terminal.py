"""terminal.py COMMAND...: a person at a terminal of 24 rows and 80 columns. What is done comes on standard input, a line each:

    see TEXT       waits until TEXT is shown, at most 20 s; the next one looks behind it
    type TEXT      with \\r, \\x10 and so on
    size ROWSxCOLUMNS
    stop, go       the command does not read, and does again

Ends with the command's exit code. What was shown goes to standard output, when something fails to standard error."""

import codecs
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
shown = b""


def look(seconds):
    """Whether something more is shown."""
    global shown
    if not select.select([terminal], [], [], seconds)[0]:
        return False
    try:
        more = os.read(terminal, 65536)
    except OSError:
        more = b""
    shown += more
    return bool(more)


def see(text):
    end = time.monotonic() + 20
    while text not in shown[see.behind:]:
        if time.monotonic() > end or not look(0.5) and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            os.kill(pid, signal.SIGKILL)
            sys.exit("%r is not shown, but %r" % (text, shown[see.behind:]))
    see.behind = shown.index(text, see.behind) + len(text)


see.behind = 0
for line in sys.stdin:
    verb, _, argument = line.rstrip("\n").partition(" ")
    text = codecs.escape_decode(argument)[0]
    if verb == "see":
        see(text)
    elif verb == "type":
        os.write(terminal, text)
    elif verb == "size":
        rows, columns = argument.split("x")
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))
    elif verb == "stop":
        os.kill(pid, signal.SIGSTOP)
    elif verb == "go":
        os.kill(pid, signal.SIGCONT)
    else:
        sys.exit("what is %r?" % verb)
end = time.monotonic() + 20
while look(0.5) or not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
    if time.monotonic() > end:
        os.kill(pid, signal.SIGKILL)
        sys.exit("it does not end; shown was %r" % shown)
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
