"""The one error that a user can cause: bad data, a missing file, settings that do not fit together.

`cli` prints it as one line and exits with 2. Anything else is our bug and keeps its traceback.
"""


class UserError(Exception):
    """Text is a fragment fitting "failed to {error}"; file and line are named where there is one."""
