"""The agent: DDPG as AMC uses it, on stable-baselines3.

He et al., "AMC: AutoML for Model Compression", ECCV 2018, 3.3 and 4.1; `Settings.published()` is
that agent. Departures of the default settings:

1. A critic of whole walks, a Gaussian process, takes the place of the critic of single steps
   (`agents.reward_model`): it knows from a few dozen walks what a network of 300 units a layer does
   not from hundreds, and how sure it is.
2. Before a walk is taken many are imagined around the actor's own; the one with the highest
   expected improvement is taken (`agents.imagination`).
3. The actor imitates the walk that the critic finds best, instead of climbing the slope of a
   critic whose bias drives it into saturation (advantage-weighted regression, Peng et al., 2019,
   with weights 1 and 0).
4. The first episode is the uniform policy, and the actor starts at its mean ratio; a shorter
   warm-up explores around it.

Without imagined walks (`proposals` 0) the critic of single steps learns with `updates` above 0; its
returns are Monte-Carlo: all transitions of an episode earn its final reward and the discount is 1,
so the final reward is the return, and rewards are standardised, instead of having a moving baseline
subtracted. The published target adds the next state's value to a reward that already is the return.
"""

from __future__ import annotations

from stable_baselines3 import DDPG

from agents.walker import Walker


class AmcDDPG(Walker, DDPG):
    """DDPG as AMC uses it; see above and `agents.walker`."""
