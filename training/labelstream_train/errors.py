"""The ways in which a stage fails or stops. `cli` prints the text as one line and picks the exit code.

Any other exception is a bug of ours and keeps its traceback.
"""


class UserError(Exception):
    """An error that the user can fix: bad data, a missing file, conflicting settings. Exit code 2.

    The text fits "failed to {error}" and names the file and line, if any.
    """


class Refused(Exception):
    """A check failed: the data has errors, or the model is not good enough. Exit code 4; text as above."""


class Stopped(Exception):
    """The time limit is reached; the same command resumes where this one stopped. Exit code 3."""
