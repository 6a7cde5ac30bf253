"""The command line: one module per command, each with `add(parser)`; flags become a typed call, no logic lives here.

Modules import what a command runs on inside its run function, so that --help stays instant.
"""
