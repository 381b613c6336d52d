"""Generated scenes with ground truth: a street that nobody had to film or annotate."""

from sightline.media.scene.scene import Scene, SceneTruth
from sightline.media.scene.settings import SceneSettings
from sightline.media.scene.source import SceneSource, open_scene

__all__ = ["Scene", "SceneSettings", "SceneSource", "SceneTruth", "open_scene"]
