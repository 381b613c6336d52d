"""A generated scene as a source of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.errors import MediaError
from sightline.frame import Frame
from sightline.media.scene.scene import Scene
from sightline.media.scene.settings import SceneSettings
from sightline.stream import Losses, StreamInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SceneSource", "open_scene"]


def open_scene(url: str) -> SceneSource:
    """Open a scene by a URL such as `scene:street?seed=3&frames=100`.

    The settings are those of `SceneSettings`; what is left out has its default.

    Raises:
        MediaError: The URL names another scene, or an unknown or wrong setting.
    """
    return SceneSource(SceneSettings.from_url(url))


class SceneSource:
    """Yields the frames of a generated scene; `pts` counts the frames.

    Attributes:
        scene: The scene, for its ground truth.
        info: The stream as announced before its first frame.
        losses: Nothing is ever lost.
    """

    def __init__(self, settings: SceneSettings | None = None) -> None:
        self.scene = Scene(settings)
        settings = self.scene.settings
        self.info = StreamInfo(
            name=f"street-{settings.seed}",
            width=settings.width,
            height=settings.height,
            time_base=1 / settings.frame_rate,
            frame_rate=settings.frame_rate,
            frame_count=settings.frames,
            duration_s=float(settings.frames / settings.frame_rate),
        )
        self.losses = Losses()
        self._started = False
        self._closing = False

    def frames(self) -> Iterator[Frame]:
        """Draw the frames in order.

        Raises:
            MediaError: The source was read before.
        """
        if self._started:
            raise MediaError(f"{self.info.name} was read already; open it again")
        self._started = True
        return self._frames()

    def close(self) -> None:
        """End a running `frames()`; nothing is held open."""
        self._closing = True

    def _frames(self) -> Iterator[Frame]:
        for seq in range(self.scene.settings.frames):
            if self._closing:
                return
            yield Frame(
                image=self.scene.render(seq),
                seq=seq,
                pts=seq,
                time_base=self.info.time_base,
                stream=self.info.name,
            )
