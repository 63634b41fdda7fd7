"""The agents: DDPG as AMC uses it, and a search in which a Gaussian process takes its place.

He et al., "AMC: AutoML for Model Compression", ECCV 2018, 3.3 and 4.1; `AgentSettings.published()`
is that agent, `ddpg-paper` on the command line.

Departures of `ddpg` (`AgentSettings()`), whose networks stable-baselines3 trains as well:

1. Returns are Monte-Carlo: all transitions of an episode earn its final reward and the discount is
   1, so the final reward is the return, and rewards are standardised, instead of having a moving
   baseline subtracted. The published target adds the next state's value to a reward that already is
   the return.
2. The first episode is the uniform policy, or one without the least important branches
   (`amc.rules.starting_policy`), and the actor starts at its mean ratio; a shorter warm-up explores
   around it.

Further departures of `gp-rollout` (`AgentSettings.gp_rollout()`), which trains no critic and is not
DDPG any more:

3. A Gaussian process over whole rollouts takes the place of the critic of single steps
   (`amc.strategies.surrogate`): it knows from a few dozen of them what a network of 300 units a
   layer does not from hundreds, and how sure it is.
4. Before a rollout is taken many are proposed around the actor's own; the one with the highest
   expected improvement is taken (`agents.proposer`).
5. The actor imitates the rollout that the process finds best, instead of climbing the slope of a
   critic whose bias drives it into saturation (advantage-weighted regression, Peng et al., 2019,
   with weights 1 and 0).
"""

from __future__ import annotations

from stable_baselines3 import DDPG

from agents.rollout_agent import RolloutAgent


class AmcDDPG(RolloutAgent, DDPG):
    """stable-baselines3's DDPG as an agent of ours; see above and `agents.rollout_agent`."""
