"""BoTorch's qLogNEI as a strategy in an interpreter of its own, one JSON line in, one out.

    python benchmarks/botorch_peer.py

Started by ``ssbayes.doe.players.External``; needs ``botorch`` and nothing of ours. A single-task
Gaussian process with its defaults and inferred noise, refitted when there are new readings; the
pick is the candidate of the largest qLogNoisyExpectedImprovement.
"""

# pyright: reportMissingImports=false, reportOptionalMemberAccess=false

import json
import sys
import warnings


def main() -> None:
    """Answer until the input ends."""
    import torch
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.models.transforms import Standardize
    from gpytorch.mlls import ExactMarginalLogLikelihood

    warnings.filterwarnings("ignore")
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    data, model = None, None
    for line in sys.stdin:
        told = json.loads(line)
        if "seed" in told:
            torch.manual_seed(told["seed"])
            answer = {}
        else:
            x = torch.tensor(told["x"])
            y = -torch.tensor(told["y"])[:, None]
            if data != (told["x"], told["y"]):
                model = SingleTaskGP(x, y, outcome_transform=Standardize(1))
                fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
                data = (told["x"], told["y"])
            with torch.no_grad():
                answer = {"best": int(model.posterior(x).mean[:, 0].argmax())}
                if told.get("anywhere"):
                    every = torch.cat([torch.tensor(told["anywhere"]), x])
                    answer["top"] = int(model.posterior(every).mean[:, 0].argmax())
                if told["candidates"]:
                    at = torch.tensor(told["candidates"])[:, None]
                    gain = qLogNoisyExpectedImprovement(model, x, prune_baseline=True)
                    answer["pick"] = int(torch.cat([gain(part) for part in at.split(256)]).argmax())
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
