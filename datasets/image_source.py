"""Where the images of a run come from: what everything that loads an image set needs to be told."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .outside import is_portable

if TYPE_CHECKING:
    from .images import ImageSet


@dataclass(frozen=True)
class ImageSource:
    """Where the images of a run come from. Networks run where the images lie.

    Args:
        name: An image set of the catalogue, `folder:PATH`, `arrays:FILE.npz`, `torchvision:NAME`, a
            `package.module:attribute`, or several joined by +.
        root: The folder its files lie in; None for the environment's data root, or else the cache.
        download: Whether missing files are fetched.
        device: Where the images lie, as torch names it.
        classes: Names or numbers of the classes that stand for the symbols 0, 1, … of a task; empty: those
            that the task asks for, by number.
        source: A callable that delivers `Pictures`, as `source()` or as `source(root, download=…)`; the name
            is then only what it is called.
    """

    name: str = "digits"
    root: Path | None = None
    download: bool = False
    device: str = "cpu"
    classes: tuple[str, ...] = ()
    source: Callable[..., Any] | None = None

    @classmethod
    def of(cls, images: "str | Callable[..., Any] | ImageSource") -> "ImageSource":
        """From what a user passes: a name stands for the image set of that name, on the CPU.

        Raises:
            UsageError: For what is neither a name, a callable nor a source.
        """
        if isinstance(images, ImageSource):
            return images
        if isinstance(images, str):
            return cls(images)
        if not callable(images):
            raise UsageError(
                f"images={images!r:.80}: name an image set, or pass a callable that returns Pictures"
            )
        return cls(getattr(images, "__qualname__", type(images).__name__), source=images)

    @property
    def portable(self) -> bool:
        """Whether another process can be told of it: what a script or a notebook defines cannot be."""
        return self.source is None or is_portable(self.source)

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
        return load_images(
            self.name,
            self.root,
            download=self.download,
            device=self.device,
            classes=self.classes,
            source=self.source,
        )


def parse_classes(text: str | None) -> tuple[str, ...]:
    """From the words after --classes: names or numbers, separated by commas."""
    return tuple(word for part in (text or "").split(",") if (word := part.strip()))
