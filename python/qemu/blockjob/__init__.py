# SPDX-License-Identifier: MIT
"""The command "blockjob": block jobs for a person at a terminal.

units       sizes and times as people write them
outcome     how things end, as exit statuses and exceptions
connection  a QMP server, as this command sees it
jobs        what is known of a job at a moment
progress    what is shown of it: a line redrawn, lines, JSON
watching    waits for jobs, shows them meanwhile
target      makes the image that a job writes to
starting    the commands that start jobs
verbs       the commands for jobs that are there
cli         arguments and main()
"""
