"""Where the images of a run come from: what everything that loads an image set needs to be told."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .images import ImageSet


@dataclass(frozen=True)
class ImageSource:
    """An image set by name, the folder its files lie in, whether missing ones are fetched, and its device.

    `name` is one of the catalogue's, or several joined by +. `root` None is the environment's data root, or
    else the cache. Networks run where the images lie.
    """

    name: str = "digits"
    root: Path | None = None
    download: bool = False
    device: str = "cpu"

    @classmethod
    def of(cls, images: "str | ImageSource") -> "ImageSource":
        """From what a user passes: a name stands for the image set of that name, on the CPU."""
        return cls(images) if isinstance(images, str) else images

    def load(self) -> "ImageSet":
        """The image set.

        Raises `UnknownNameError`, `UsageError` for a device that cannot be used here, `DataUnavailableError`
        for missing or damaged files.
        """
        from .devices import require_device  # noqa: PLC0415
        from .images import load_images  # noqa: PLC0415 - torch, which naming images does not need

        require_device(self.device)
        return load_images(self.name, self.root, download=self.download, device=self.device)
