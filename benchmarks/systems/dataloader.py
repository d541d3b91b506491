"""PyTorch as its tutorials show it: a Dataset of single windows, and a DataLoader."""

import torch
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, Dataset

from systems import BaseSystem
from systems.network import Network


class WindowDataset(Dataset):
    """Windows of a table and what follows each.

    Parameters
    ----------
    table : ndarray of shape (n_rows, n_features)
        The table.
    window : int
        Rows of a window.
    """

    def __init__(self, table, window):
        self.values = torch.from_numpy(table)
        self.window = window

    def __len__(self):
        return len(self.values) - self.window

    def __getitem__(self, i):
        return self.values[i : i + self.window], self.values[i + self.window, :1]


class System(BaseSystem):
    """The usual loop."""

    def fit(self):
        """Train a new network."""
        torch.manual_seed(0)
        self.dataset = WindowDataset(self.table, self.size.window)
        loader = DataLoader(self.dataset, batch_size=self.size.batch, shuffle=True)
        self.network = Network(self.table.shape[1], self.size.hidden, batch_first=True)
        self.network.to(self.device)
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self.lr)
        for _ in range(self.size.epochs):
            for windows, target in loader:
                loss = mse_loss(self.network(windows.to(self.device)), target.to(self.device))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    @torch.inference_mode()
    def predict(self):
        """Predict all windows."""
        loader = DataLoader(self.dataset, batch_size=self.size.prediction_batch)
        outputs = [self.network(windows.to(self.device)) for windows, _ in loader]
        return torch.cat(outputs)[:, 0].numpy(force=True)
