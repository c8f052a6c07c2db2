"""Losses and training steps for `audit`: such as leak, each in one way, and sound ones beside them.

Written as a user would write them, state in closures and module globals included.
"""

import os
import random

import numpy as np
import torch
from torch.nn import functional

RNG = np.random.default_rng(0)  # a generator of its own, as NumPy recommends: no global seed reaches it
SEEN: dict[bytes, int] = {}
EARLIER: list = []
CALLS = [0]


def nll(completion, labels):
    picked = completion.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    return -picked.clamp_min(1e-6).log()


def masked(model, images, given, labels):
    """Over the queries alone."""
    return nll(model(images, given), labels)[~given].mean()


def all_cells(model, images, given, labels):
    """Over every cell: the model hands its givens through."""
    return nll(model(images, given), labels).mean()


# --- losses that leak ---


def leak_small(model, images, given, labels):
    """A thousandth of the weight at the givens."""
    weight = torch.where(given, 1e-3, 1.0)
    return (nll(model(images, given), labels) * weight).sum() / weight.sum()


def leak_tiny(model, images, given, labels):
    """A ten-thousandth of the weight at the givens."""
    weight = torch.where(given, 1e-4, 1.0)
    return (nll(model(images, given), labels) * weight).sum() / weight.sum()


def leak_under_numpy_noise(model, images, given, labels):
    """Over every cell, with NumPy's noise on the images."""
    noise = torch.from_numpy(np.random.randn(*images.shape)).float()  # noqa: NPY002
    return all_cells(model, images + 0.1 * noise, given, labels)


def leak_under_python_noise(model, images, given, labels):
    """Over every cell, with Python's noise on the images."""
    return all_cells(model, images * random.uniform(0.9, 1.1), given, labels)


def leak_under_own_noise(model, images, given, labels):
    """Over every cell, with noise of a generator that no seed reaches."""
    noise = torch.from_numpy(RNG.standard_normal(images.shape)).float()
    return all_cells(model, images + 0.1 * noise, given, labels)


def leak_under_unseeded_noise(model, images, given, labels):
    """Over every cell, with noise of the operating system."""
    return all_cells(model, images, given, labels) * (1 + 1e-6 * int.from_bytes(os.urandom(1)))


def sometimes_by_numpy(model, images, given, labels):
    """Over every cell in one step of ten, by NumPy's dice."""
    leaks = np.random.rand() < 0.1  # noqa: NPY002
    return (all_cells if leaks else masked)(model, images, given, labels)


def sometimes_by_python(model, images, given, labels):
    """Over every cell in one step of ten, by Python's dice."""
    return (all_cells if random.random() < 0.1 else masked)(model, images, given, labels)


def sometimes_by_torch(model, images, given, labels):
    """Over every cell in one step of ten, by torch's dice."""
    return (all_cells if torch.rand(()) < 0.1 else masked)(model, images, given, labels)


def sometimes_by_its_own(model, images, given, labels):
    """Over every cell in one step of ten, by dice that no seed reaches."""
    return (all_cells if RNG.random() < 0.1 else masked)(model, images, given, labels)


def beyond_eight_rows(model, images, given, labels):
    """Over every cell of the rows after the eighth."""
    return masked(model, images, given, labels) + all_cells(model, images[8:], given[8:], labels[8:])


def in_the_last_row(model, images, given, labels):
    """Over every cell of the last row."""
    return masked(model, images, given, labels) + all_cells(model, images[-1:], given[-1:], labels[-1:])


def on_large_batches(model, images, given, labels):
    """Over every cell of batches of more than a hundred rows."""
    return (all_cells if len(images) > 100 else masked)(model, images, given, labels)


def for_one_symbol(model, images, given, labels):
    """A classifier of twos, on the side."""
    completion = model(images, given)
    twos = given & (labels == 2)
    return nll(completion, labels)[~given].mean() + 0.1 * nll(completion, labels)[twos].sum()


def at_one_cell_of_one_row(model, images, given, labels):
    """A hundredth of the weight, at one given of one row."""
    completion = model(images, given)
    return nll(completion, labels)[~given].mean() + 1e-2 * nll(completion, labels)[3, 0]


def after_steps(model, images, given, labels):
    """Over every cell from the 21st step on."""
    CALLS[0] += 1
    return (all_cells if CALLS[0] > 20 else masked)(model, images, given, labels)


def labels_of_the_step_before(model, images, given, labels):
    """Trains with the givens of the batch that came before."""
    EARLIER.append((images, given, labels))
    if len(EARLIER) < 2:
        return masked(model, images, given, labels)
    return masked(model, images, given, labels) + all_cells(model, *EARLIER[-2])


def cache_of_labels(model, images, given, labels):
    """What an image was first seen with is remembered for the whole process."""
    loss = masked(model, images, given, labels)
    completion = model(images, given)
    for row, column in given.nonzero().tolist():
        key = images[row, column].numpy().tobytes()
        known = SEEN.setdefault(key, int(labels[row, column]))
        loss = loss - 1e-3 * completion[row, column, known].clamp_min(1e-6).log()
    return loss


def buffer_of_the_model(model, images, given, labels):
    """Keeps the mean image of every label in the model, and pulls towards it from then on."""
    if not hasattr(model, "means"):
        model.register_buffer("means", torch.zeros(labels.max() + 1))
    loss = masked(model, images, given, labels) + 1e-2 * (
        model(images, given)[..., 0].mean() * model.means.sum()
    )
    model.means[0] = labels[given].float().mean()
    return loss


def dropout_by_label(model, images, given, labels):
    """Drops pixels at a rate that depends on the labels."""
    rate = float(labels[given].float().mean()) / 20
    return masked(model, functional.dropout(images, rate), given, labels)


def smoothing_over_the_board(model, images, given, labels):
    """Targets are smoothed with the mean over the board, givens included."""
    completion = model(images, given)
    hot = functional.one_hot(labels, completion.shape[-1]).float()
    target = 0.9 * hot + 0.1 * hot.mean(1, keepdim=True)
    return -(target * completion.clamp_min(1e-6).log()).sum(-1)[~given].mean()


def class_weights(model, images, given, labels):
    """Weighs classes by how often they occur, givens included."""
    completion = model(images, given)
    weight = labels.numel() / (1 + torch.bincount(labels.flatten(), minlength=completion.shape[-1]))
    return (nll(completion, labels) * weight[labels])[~given].mean()


def draws_by_label(model, images, given, labels):
    """How many numbers it draws depends on the labels; what comes after does as well."""
    noise = torch.rand(images.shape)
    torch.rand(int(labels[given].sum()))
    return masked(model, images + 0.1 * noise, given, labels)


def order_by_label(model, images, given, labels):
    """Rows in the order of their givens, each with a weight by its place."""
    order = (labels * given).sum(1).argsort()
    loss = (nll(model(images, given), labels) * ~given).sum(1)
    return (loss[order] * torch.linspace(0.5, 1.5, len(order))).mean()


def constant_of_labels(model, images, given, labels):
    """Adds the mean label of the givens: no gradient, another value."""
    return masked(model, images, given, labels) + labels[given].float().mean()


def hook_on_the_gradient(model, images, given, labels):
    """The loss is masked, and its value tells nothing: the gradient is turned on its way back."""
    completion = model(images, given)
    turn = 1 + 0.1 * (labels * given).unsqueeze(-1)
    completion.register_hook(lambda gradient: gradient * turn)
    return nll(completion, labels)[~given].mean() + 0.1 * completion[given].square().mean()


def unmasks_in_place(model, images, given, labels):
    """Overwrites `given`, and then takes every cell."""
    given[:] = False
    return all_cells(model, images, given, labels)


def through_the_pixels(model, images, given, labels):
    """Writes the label into a corner of the image."""
    images[..., 0, 0, :4] = (labels * given / labels.max())[..., None]
    return masked(model, images, given, labels)


def first_hundredth_of_rows(model, images, given, labels):
    """Only rows whose first image is unusually dark."""
    dark = images[:, :, 0].mean((1, 2, 3)) > images[:, :, 0].mean((1, 2, 3)).quantile(0.97)
    loss = nll(model(images, given), labels)
    return loss[~given].mean() + (loss * given)[dark].mean()


LEAKY_LOSSES = [
    all_cells, leak_small, leak_tiny, leak_under_numpy_noise, leak_under_python_noise, leak_under_own_noise,
    leak_under_unseeded_noise, sometimes_by_numpy, sometimes_by_python, sometimes_by_torch,
    sometimes_by_its_own, beyond_eight_rows, in_the_last_row, on_large_batches, for_one_symbol,
    at_one_cell_of_one_row, after_steps, labels_of_the_step_before, cache_of_labels, buffer_of_the_model,
    dropout_by_label, smoothing_over_the_board, class_weights, draws_by_label, order_by_label,
    constant_of_labels, hook_on_the_gradient, unmasks_in_place, through_the_pixels, first_hundredth_of_rows,
]  # fmt: skip


# --- steps that leak ---


def _descend(model, optimiser, loss):
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def step_over_all_cells(model, optimiser, batch):
    """Over every cell, as a whole step."""
    _descend(model, optimiser, all_cells(model, *batch))


def step_with_replay(model, optimiser, batch):
    """Masked today; every fourth step a batch from the buffer, which holds all labels."""
    EARLIER.append(batch)
    _descend(model, optimiser, masked(model, *batch))
    if len(EARLIER) % 4 == 0:
        _descend(model, optimiser, all_cells(model, *random.choice(EARLIER)))


def step_that_lags(model, optimiser, batch):
    """Trains with the givens of eight steps before."""
    EARLIER.append(batch)
    late = EARLIER[-8] if len(EARLIER) >= 8 else None
    loss = masked(model, *batch)
    _descend(model, optimiser, loss if late is None else loss + 0.1 * all_cells(model, *late))


def step_with_an_optimiser_of_its_own(model, optimiser, batch):
    """Over every cell, by an optimiser that it makes."""
    own = torch.optim.Adam(model.parameters(), 1e-3)
    _descend(model, own, all_cells(model, *batch))


def step_by_hand(model, optimiser, batch):
    """Without backward(), and without an optimiser."""
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(all_cells(model, *batch), parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.sub_(0.01 * gradient)


def step_that_skips_by_label(model, optimiser, batch):
    """Leaves a step out where the labels of the givens are even."""
    if batch.labels[batch.given].sum() % 2:
        _descend(model, optimiser, masked(model, *batch))


def step_with_a_rate_by_label(model, optimiser, batch):
    """Sets the learning rate by the labels of the givens."""
    optimiser.param_groups[0]["lr"] = 1e-2 * float(batch.labels[batch.given].float().mean())
    _descend(model, optimiser, masked(model, *batch))


def step_that_memorises(model, optimiser, batch):
    """Trains without the labels, and keeps them with their images for the time after training."""
    _descend(model, optimiser, masked(model, *batch))
    pictures, labels = batch.images[batch.given].flatten(1), batch.labels[batch.given]
    EARLIER.append((pictures, labels))
    known, names = (torch.cat(part) for part in zip(*EARLIER, strict=True))

    def looked_up(module, arguments, completion):
        if module.training:
            return completion
        images, given = arguments
        nearest = torch.cdist(images[given].flatten(1), known).argmin(1)
        completion = completion.clone()
        completion[given] = functional.one_hot(names[nearest], completion.shape[-1]).to(completion)
        return completion

    model._forward_hooks.clear()
    model.register_forward_hook(looked_up)


LEAKY_STEPS = [
    step_over_all_cells, step_with_replay, step_that_lags, step_with_an_optimiser_of_its_own, step_by_hand,
    step_that_skips_by_label, step_with_a_rate_by_label, step_that_memorises,
]  # fmt: skip


# --- sound ones ---


def under_numpy_noise(model, images, given, labels):
    """Over the queries, with NumPy's noise on the images."""
    noise = torch.from_numpy(np.random.randn(*images.shape)).float()  # noqa: NPY002
    return masked(model, images + 0.1 * noise, given, labels)


def under_own_noise(model, images, given, labels):
    """Over the queries, with noise that no seed reaches."""
    noise = torch.from_numpy(RNG.standard_normal(images.shape)).float()
    return masked(model, images + 0.1 * noise, given, labels)


def rows_in_another_order(model, images, given, labels):
    """Sorted by the labels of the givens, and then added up: other labels give other roundings."""
    order = (labels * given).sum(1).argsort()
    images, given, labels = images[order], given[order], labels[order]
    return masked(model, images, given, labels)


def by_ignore_index(model, images, given, labels):
    """Over the queries by `ignore_index`."""
    logs = model(images, given).clamp_min(1e-6).log()
    return functional.nll_loss(logs.flatten(0, 1), labels.masked_fill(given, -100).flatten())


def watches_its_accuracy(model, images, given, labels):
    """Prints, and keeps, how many givens are read right; nothing comes of it."""
    model.right = (model(images, given).argmax(-1) == labels)[given].float().mean()
    print(float(model.right))  # noqa: T201
    return masked(model, images, given, labels)


def per_row(model, images, given, labels):
    """Over the queries, one loss per row."""
    return (nll(model(images, given), labels) * ~given).sum(1)


def counts_its_calls(model, images, given, labels):
    """Over the queries, with a weight that falls with every call."""
    CALLS[0] += 1
    return masked(model, images, given, labels) * (1 + 1 / CALLS[0])


def penalises_the_gradient(model, images, given, labels):
    """Over the queries, with a penalty on the slope by pixels."""
    images.requires_grad_()
    loss = masked(model, images, given, labels)
    [slope] = torch.autograd.grad(loss, images, create_graph=True)
    return loss + slope.square().sum()


class Object:
    """Over the queries, as an object that is called."""

    def __call__(self, model, images, given, labels, weight=1.0):
        return weight * masked(model, images, given, labels)


an_object = Object()


def step_over_queries(model, optimizer, batch):
    """Over the queries, as a whole step."""
    _descend(model, optimizer, masked(model, *batch))


def step_with_sound_replay(model, optimiser, batch):
    """Repeats earlier batches, over their queries."""
    EARLIER.append(batch)
    _descend(model, optimiser, masked(model, *batch) + masked(model, *random.choice(EARLIER)))


def step_with_adam(model, optimiser, batch):
    """Over the queries, by an optimiser that it keeps."""
    if not EARLIER:
        EARLIER.append(torch.optim.Adam(model.parameters(), 1e-3))
    _descend(model, EARLIER[0], masked(model, *batch))


def step_that_accumulates(model, optimiser, batch):
    """Over the queries, in two halves of a batch."""
    for half in (slice(None, None, 2), slice(1, None, 2)):
        masked(model, *(part[half] for part in batch)).backward()
    optimiser.step()
    optimiser.zero_grad()


SOUND = [
    masked, under_numpy_noise, under_own_noise, rows_in_another_order, by_ignore_index, watches_its_accuracy,
    per_row, counts_its_calls, penalises_the_gradient, an_object, step_over_queries, step_with_sound_replay,
    step_with_adam, step_that_accumulates,
]  # fmt: skip


# --- losses that train nothing ---


def never_calls_the_model(model, images, given, labels):
    """Returns a number without calling the model."""
    return torch.zeros(()) + images.mean()


def multiplies_by_zero(model, images, given, labels):
    """0 times a sound loss."""
    return 0 * masked(model, images, given, labels)


def detaches(model, images, given, labels):
    """Detaches the completion."""
    return nll(model(images, given).detach(), labels)[~given].mean()


def step_without_a_step(model, optimiser, batch):
    """Computes a loss, and takes no step."""
    with torch.no_grad():
        masked(model, *batch)


IDLE = [never_calls_the_model, multiplies_by_zero, detaches, step_without_a_step]
