"""Whether steps of training may be replayed: what is read is what runs.

A plan was recorded from the text of the source, and so no step is replayed

    if a file of the textbook was edited (fingerprints.py) or a function replaced (replaced.py)
    while a debugger follows the program

Then steps run as they are written, and one line says why.
"""

from ..ground.printing import to_stderr
from ..kernels import fingerprints, replaced
from ..kernels.formulas import loops_run
from ..kernels.trust import is_followed, replay_setting, why_not

SAID: set[str] = set()  # reasons that this process has already printed


class Permission:
    """Whether one training may replay its steps; `replay` is as for `fit`.

    `reason` is why it may not, once that is known, or "".
    """

    def __init__(self, replay: bool | None) -> None:
        self._replay = replay_setting(replay)
        self._names: replaced.Names | None = None  # as they were at the last look
        self.reason = ""

    def is_given(self) -> bool:
        """Whether the next step may be replayed."""
        if self._replay is False or self.reason:
            return False
        if self._replay is None and is_followed():
            _say("a debugger follows the program")
            return False
        return True

    def has_looked(self) -> bool:
        """Whether the source was looked at, which takes some time, before a step is recorded."""
        return self._names is not None

    def look(self) -> bool:
        """Look at the source; returns whether plans that were recorded before are void."""
        edited = fingerprints.edited()
        if self._replay is False or self.reason:
            return False
        names = replaced.Names()
        may_differ = self._replay is None and (edited or not names.are_like(self._names))
        if may_differ and (reason := why_not()):
            self.refuse(reason)
            return True
        is_void = self._names is not None and not self._names.are_as_before()
        self._names = names
        return is_void

    def before_epoch(self) -> bool:
        """Look again if names have changed; returns whether plans are void."""
        if self._names is None:
            if loops_run():
                fingerprints.edited()  # so that no loop of an edited formula runs
            return False
        return not self._names.are_as_before() and self.look()

    def after_callbacks(self) -> bool:
        """Look again if a callback has replaced something; returns whether plans are void."""
        if self._names is None or self.reason or self._names.are_as_before():
            return False
        return self.look()

    def refuse(self, reason: str) -> None:
        """Replay no step from here on, and print the reason."""
        self.reason = reason
        _say(reason)


def _say(reason: str) -> None:
    if reason not in SAID:
        SAID.add(reason)
        to_stderr(f"scratchgen: steps run as they are written, and are not replayed: {reason}")
