"""Where the images of a run come from: what everything that loads an image set needs to be told."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .images import ImageSet


@dataclass(frozen=True)
class ImageSource:
    """Where the images of a run come from. Networks run where the images lie.

    Args:
        name: An image set of the catalogue, or several joined by +.
        root: The folder its files lie in; None for the environment's data root, or else the cache.
        download: Whether missing files are fetched.
        device: Where the images lie, as torch names it.
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
        """Loads the image set.

        Raises:
            UnknownNameError: For a name that no image set has.
            UsageError: For a device that cannot be used here.
            DataUnavailableError: For missing or damaged files.
        """
        from .devices import require_device  # noqa: PLC0415
        from .images import load_images  # noqa: PLC0415 - torch, which naming images does not need

        require_device(self.device)
        return load_images(self.name, self.root, download=self.download, device=self.device)
