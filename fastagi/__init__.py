"""The call side of whocalls: FastAGI, AMI, lookup, journal, bus and the command line."""
