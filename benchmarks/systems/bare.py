"""A tuned PyTorch loop, the reference of the other systems.

The table is on the device once, a batch is one gather by index with the steps first, Adam is the
fused one (the fastest of torch's three, on a CPU too), and nothing waits for the device before the
end.
"""

import torch
from torch.nn.functional import mse_loss

from systems import BaseSystem
from systems.network import Network


class Loop:
    """A new network, and the loop that trains it on windows of a table.

    Parameters
    ----------
    table : ndarray of float32, shape (n_rows, n_features)
        Standardised.
    target : ndarray of float32, shape (n_rows,)
        What to predict at each row.
    window, hidden, batch : int
        As in `Size`.
    lr : float
        Learning rate.
    device : str
        Where to compute.
    horizon : int
        Rows between the end of a window and the row whose target it predicts.
    seed : int
        Decides initial weights and the order of batches.
    """

    def __init__(self, table, target, *, window, hidden, batch, lr, device, horizon=1, seed=0):
        torch.manual_seed(seed)
        self.values = torch.from_numpy(table).to(device)
        self.target = torch.from_numpy(target).to(device)[:, None]
        self.steps = torch.arange(1 - horizon - window, 1 - horizon, device=device)[:, None]
        self.batch = batch
        self.network = Network(table.shape[1], hidden, batch_first=False).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=lr, fused=True)

    def epoch(self, rows):
        """Learn the targets of these rows, a tensor on the device, once."""
        self.network.train()
        order = torch.randperm(len(rows), device=rows.device)
        for batch in rows[order].split(self.batch):
            loss = mse_loss(self.network(self.values[self.steps + batch]), self.target[batch])
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()

    @torch.inference_mode()
    def predict(self, rows):
        """Predict the targets of these rows, a tensor on the device."""
        self.network.eval()
        batches = rows.split(max(self.batch, 1024))
        outputs = [self.network(self.values[self.steps + batch]) for batch in batches]
        return torch.cat(outputs)[:, 0].numpy(force=True)


class System(BaseSystem):
    """The loop on all windows."""

    def fit(self):
        """Train a new network."""
        size = self.size
        self.loop = Loop(
            self.table,
            self.table[:, 0],
            window=size.window,
            hidden=size.hidden,
            batch=size.batch,
            lr=self.lr,
            device=self.device,
        )
        self.rows = torch.arange(size.window, size.rows, device=self.device)
        for _ in range(size.epochs):
            self.loop.epoch(self.rows)

    def predict(self):
        """Predict all windows."""
        return self.loop.predict(self.rows)
