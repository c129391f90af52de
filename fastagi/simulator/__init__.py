"""A PBX that is not there: it speaks real AGI and AMI over sockets, for `whocalls demo` and for load tests.

It was compared with a real Asterisk 22: tests/simulator holds its conversations against the recorded ones.
"""
