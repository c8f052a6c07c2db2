"""Symbols from images alone: clusters that perception starts from, before it has seen a single answer."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from .reading import entropy

COMPONENTS = 40  # of the principal components that clusters are first looked for in
MAX_AGGLOMERATED = 2000  # images that are clustered at first: agglomeration compares all pairs
EPOCHS = 30  # over the images; the last points of accuracy come late
WARM_UP_EPOCHS = 6  # of them on the first clusters
BATCH = 100
MIN_BATCH = 20  # images in a batch: the mean over fewer says nothing of how often a symbol occurs


def first_clusters(images: Float[np.ndarray, "images pixels"], symbols: int) -> Int[np.ndarray, " images"]:
    """Ward's clusters in the space of the first principal components."""
    from sklearn.cluster import AgglomerativeClustering  # noqa: PLC0415 - half a second, for one solver
    from sklearn.decomposition import PCA  # noqa: PLC0415

    parts = min(COMPONENTS, *images.shape)
    reduced = PCA(parts, svd_solver="full").fit_transform(images)
    return AgglomerativeClustering(symbols).fit_predict(reduced)


def distorted(images: Float[Tensor, "images channels height width"], generator: torch.Generator) -> Tensor:
    """Each image turned by up to 15°, sheared and scaled by up to 15 %, shifted by up to 1.7 pixels."""

    def drawn(most: float) -> Tensor:
        return (2 * torch.rand(len(images), generator=generator) - 1) * most

    angle, scale = drawn(math.radians(15)), 1 + drawn(0.15)
    cosine, sine = angle.cos() / scale, angle.sin() / scale
    rows = [
        torch.stack([cosine, drawn(0.15) - sine, drawn(0.12)], 1),
        torch.stack([sine, cosine, drawn(0.12)], 1),
    ]
    grid = functional.affine_grid(torch.stack(rows, 1).to(images), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def discover_symbols(
    perception: nn.Module,
    images: Float[Tensor, "images channels height width"],
    symbols: int,
    generator: torch.Generator,
    *,
    epochs: int = EPOCHS,
    learning_rate: float = 1e-3,
) -> None:
    """Trains `perception` (images to logits) in place to tell `symbols` kinds of image apart, without labels.

    First on Ward's clusters; then it maximises the information between image and symbol, H(mean p) − mean
    H(p), while a distorted image must keep the symbol of its original. Which symbol gets which number is
    arbitrary. Sources: Topan, Rolnick, Si 2021, arXiv:2106.11072 (clustering first, with InfoGAN); Hu et
    al. 2017, arXiv:1702.08720 (information maximising self-augmented training), which takes InfoGAN's place.
    """
    chosen = torch.randperm(len(images), generator=generator)[:MAX_AGGLOMERATED]
    known = images.cpu()[chosen]
    labels = torch.from_numpy(first_clusters(known.flatten(1).double().numpy(), symbols)).to(images.device)
    known = known.to(images)
    optimiser = torch.optim.Adam(perception.parameters(), learning_rate)
    perception.train()
    for epoch in range(epochs):
        source = known if epoch < WARM_UP_EPOCHS else images
        for rows in torch.randperm(len(source), generator=generator).split(BATCH):
            if len(rows) < min(MIN_BATCH, len(source)):
                continue
            rows = rows.to(images.device)  # noqa: PLW2901
            logits = perception(distorted(source[rows], generator))
            if epoch < WARM_UP_EPOCHS:
                loss = functional.cross_entropy(logits, labels[rows])
            else:
                shares = perception(source[rows]).softmax(-1)
                information = entropy(shares.mean(0)) - entropy(shares).mean()
                drift = functional.kl_div(logits.log_softmax(-1), shares.detach(), reduction="batchmean")
                loss = drift - information
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
