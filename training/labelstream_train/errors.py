"""How a stage ends when it does not succeed. `cli` prints the text as one line and picks the exit code.

Anything else that is raised is our bug and keeps its traceback.
"""


class UserError(Exception):
    """Bad data, a missing file, settings that do not fit: the user can fix it. Exit code 2.

    Text is a fragment fitting "failed to {error}"; file and line are named where there is one.
    """


class Refused(Exception):
    """A check said no: the data has errors, or the model is not good enough. Exit code 4; text as above."""


class Stopped(Exception):
    """The wall-clock budget is over; the same command goes on where this one stopped. Exit code 3."""
