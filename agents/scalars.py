"""What a search tells stable-baselines3's logger after each episode."""

from __future__ import annotations

from stable_baselines3.common.callbacks import BaseCallback

from amc.problem import Problem


class Scalars(BaseCallback):
    """Records score, costs left and the best so far of every episode, under "search/".

    Beside them stands what the agent itself records: "rollout/ep_rew_mean", its losses, ...

    Args:
        problem: That is searched.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self._problem = problem

    def _on_step(self) -> bool:
        if self.locals["dones"][0]:
            self._record()
        return True

    def _record(self) -> None:
        problem, found = self._problem, self._problem.outcomes
        self.logger.record("search/evaluations", len(found))
        self.logger.record("search/score", found[-1].score)
        for name, cost in problem.costs.items():
            left = found[-1].costs[name] / cost(problem.graph.full)
            self.logger.record(f"search/{name} left", left)
        best = problem.best()
        if best is not None:
            self.logger.record("search/best score", best.score)
