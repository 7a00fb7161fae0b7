"""`promote` and `rollback`: choose which registered version serves."""

import argparse
from collections.abc import Callable

from . import promote
from .promote import Moved


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds both commands to those of the command line."""
    moves = {
        "promote": (promote.promote, "make the challenger the champion; the old champion becomes `previous`"),
        "rollback": (promote.rollback, "make the previous champion the champion again"),
    }
    for name, (move, text) in moves.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("--registry", required=True, metavar="ADDRESS", help="MLflow server, http://HOST:PORT")
        command.add_argument("--model-name", required=True, metavar="NAME", help="name of the registered model")
        if name == "promote":
            command.add_argument(
                "--allow-rejected", action="store_true", help="also promote a version that was rolled back"
            )
        command.set_defaults(act=_act(move))


def _act(move: Callable[..., Moved]) -> Callable[[argparse.Namespace], int]:
    def act(parsed: argparse.Namespace) -> int:
        more = {"allow_rejected": True} if getattr(parsed, "allow_rejected", False) else {}
        moved = move(parsed.registry, parsed.model_name, **more)
        before = "none" if moved.previous is None else f"version {moved.previous}"
        word = "is now" if moved.changed else "was already"
        print(f"models:/{parsed.model_name}@champion {word} version {moved.champion}; previous: {before}")
        return 0

    return act
