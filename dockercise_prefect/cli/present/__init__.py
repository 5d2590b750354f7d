"""Shows a run while it runs. There are three forms of the same lines."""

from dockercise_prefect.cli.present.choice import Presenter, presenter_for
from dockercise_prefect.cli.present.live import LivePresenter
from dockercise_prefect.cli.present.plain import PlainPresenter
from dockercise_prefect.cli.present.quiet import QuietPresenter

__all__ = ["LivePresenter", "PlainPresenter", "Presenter", "QuietPresenter", "presenter_for"]
