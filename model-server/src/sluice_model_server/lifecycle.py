"""May this server get requests now?"""


class Lifecycle:
    """Loading, then ready, then draining; never back.

    Draining still answers whatever comes, but tells every client to close its connection.
    """

    def __init__(self) -> None:
        self._probed = False
        self._draining = False

    def probed(self) -> None:
        """The model answered its probe."""
        self._probed = True

    def drain(self) -> None:
        """The process was told to end."""
        self._draining = True

    @property
    def ready(self) -> bool:
        return self._probed and not self._draining

    @property
    def draining(self) -> bool:
        return self._draining
