"""What ends a run: one clear line for people, and an exit code."""


class Problem(Exception):
    """Could not measure."""

    exit_code = 1


class UsageProblem(Problem):
    """Asked for something that does not exist or makes no sense."""

    exit_code = 2
