"""Each player's optimizer: the one that the user gives, or else the model's own choice."""

from typing import Any

from ..ground.arguments import nearest
from ..ground.errors import OptionError
from ..models import Model
from ..optim import Optimizer, optimizer_for


def optimizers_by_player(model: Model, given: Any, steps: int) -> dict[str, Optimizer]:
    """An optimizer for each player, from one for all, a dict by player, or None.

    `steps` is the length of the run, over which the model's own choice may schedule its rate.
    """
    players = model.players
    by_player = given if isinstance(given, dict) else dict.fromkeys(players, given)
    for player in by_player:
        if player not in players:
            raise OptionError(
                f"optimizer names the player {player!r}, the {model.kind} has "
                f"{', '.join(players)}{nearest(str(player), players)}"
            )
    chosen = {player: x for player, x in by_player.items() if x is not None}
    if len(chosen) < len(players):
        chosen = {**model.optimizers(steps), **chosen}
    if missing := players.keys() - chosen.keys():
        raise OptionError(f"optimizers() of the {model.kind} gives none for the {min(missing)}")
    return {player: optimizer_for(chosen[player]) for player in players}
