"""without_landlock.py COMMAND...: run COMMAND as on a kernel without Landlock: a filter answers its three system calls by ENOSYS."""
import ctypes
import errno
import os
import struct
import sys

LOAD, JUMP_AT_LEAST, JUMP_ABOVE, RETURN = 0x20, 0x35, 0x25, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
program = [(LOAD, 0, 0, 0), (JUMP_AT_LEAST, 0, 2, 444), (JUMP_ABOVE, 1, 0, 446), (RETURN, 0, 0, ERRNO | errno.ENOSYS), (RETURN, 0, 0, ALLOW)]
code = b"".join(struct.pack("HBBI", operation, yes, no, value) for operation, yes, no, value in program)
instructions = ctypes.create_string_buffer(code)
filter_program = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(instructions))
if ctypes.CDLL(None, use_errno=True).prctl(22, 2, filter_program, 0, 0) != 0:
    sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
