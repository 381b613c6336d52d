import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from sightline.errors import MediaError
from sightline.media.scene import Scene, SceneSettings, SceneSource, open_scene
from sightline.media.source import Source

SETTINGS = SceneSettings(seed=7, frames=120)


@pytest.fixture(scope="module")
def scene():
    return Scene(SETTINGS)


def boxes_by_track(scene):
    """Box and visibility of every frame in which something of a track lies in the picture."""
    tracks = {}
    for seq in range(scene.settings.frames):
        truth = scene.truth(seq)
        for row, track_id in enumerate(truth.detections.track_id.tolist()):
            found = truth.detections.xyxy[row], truth.visibility[row], seq
            tracks.setdefault(track_id, []).append(found)
    return tracks


def test_equal_settings_give_equal_frames_and_truth(scene):
    again = Scene(SETTINGS)
    for seq in (0, 57, 119):
        assert np.array_equal(scene.render(seq), again.render(seq))
        assert scene.ground_truth(seq).equals(again.ground_truth(seq))


def test_another_seed_gives_another_scene(scene):
    other = Scene(dataclasses.replace(SETTINGS, seed=8))
    assert not np.array_equal(scene.render(0), other.render(0))
    assert not scene.ground_truth(0).equals(other.ground_truth(0))


def test_frames_may_be_asked_for_in_any_order(scene):
    forwards = [scene.render(seq) for seq in range(6)]
    again = Scene(SETTINGS)
    backwards = [again.render(seq) for seq in reversed(range(6))]
    assert all(map(np.array_equal, forwards, reversed(backwards)))


def test_a_frame_has_the_chosen_size_and_is_colour():
    frame = Scene(SceneSettings(width=322, height=182, frames=1)).render(0)
    assert frame.shape == (182, 322, 3)
    assert frame.dtype == np.uint8


def test_every_frame_has_its_own_noise():
    empty = Scene(SceneSettings(objects=0, frames=2))
    assert not np.array_equal(empty.render(0), empty.render(1))


def test_outside_of_the_boxes_nothing_is_seen_of_the_objects_but_their_shadows(scene):
    empty = Scene(dataclasses.replace(SETTINGS, objects=0))
    for seq in (0, 60, 119):
        brighter = scene.render(seq).astype(int) > empty.render(seq).astype(int) + 1
        for left, top, right, bottom in scene.truth(seq).detections.xyxy:
            rows = slice(int(top), int(np.ceil(bottom)))
            brighter[rows, int(left) : int(np.ceil(right))] = False
        assert not brighter.any()


def test_the_box_of_an_object_that_nothing_hides_is_tight(scene):
    empty = Scene(dataclasses.replace(SETTINGS, objects=0))
    seen = 0
    for seq in range(0, 120, 10):
        truth = scene.truth(seq)
        changed = (scene.render(seq) != empty.render(seq)).any(2)
        for left, top, right, bottom in truth.detections.xyxy[truth.visibility == 1]:
            inside = changed[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))]
            assert inside[0:2].any()
            assert inside[-2:].any()
            assert inside[:, 0:2].any()
            assert inside[:, -2:].any()
            seen += 1
    assert seen > 5


def test_boxes_lie_within_the_picture_and_have_an_area(scene):
    for seq in range(0, 120, 5):
        xyxy = scene.truth(seq).detections.xyxy
        assert (xyxy[:, :2] >= 0).all()
        assert (xyxy[:, 2:] <= (640, 360)).all()
        assert (xyxy[:, 2:] > xyxy[:, :2]).all()


def test_an_object_is_in_the_picture_without_a_break_from_entering_to_leaving(scene):
    for found in boxes_by_track(scene).values():
        seqs = [seq for _, _, seq in found]
        assert seqs == list(range(seqs[0], seqs[-1] + 1))


def test_visibility_is_a_share_and_grows_while_an_object_enters():
    tracks = boxes_by_track(Scene(SceneSettings(seed=1, frames=800, objects=1)))
    entered = [found for found in tracks.values() if found[0][2] > 0]
    assert entered
    for found in tracks.values():
        assert all(0 <= visibility <= 1 for _, visibility, _ in found)
    for found in entered:
        assert found[0][1] < 0.3
        assert max(visibility for _, visibility, _ in found) == 1


def test_the_nearer_of_two_objects_hides_the_farther():
    scene = Scene(SceneSettings(seed=5, frames=200, objects=16))
    hidden = 0
    for seq in range(0, 200, 4):
        truth = scene.truth(seq)
        xyxy = truth.detections.xyxy
        inside = (xyxy[:, 0] > 1) & (xyxy[:, 2] < 639)
        for row in np.flatnonzero(inside & (truth.visibility < 0.5)):
            left, _, right, bottom = xyxy[row]
            nearer = xyxy[xyxy[:, 3] > bottom]
            meets = (nearer[:, 0] < right) & (nearer[:, 2] > left) & (nearer[:, 1] < bottom)
            hidden += bool(meets.any())
    assert hidden > 5


def test_ground_truth_lists_what_is_seen_well_enough(scene):
    truth = scene.truth(40)
    assert len(scene.ground_truth(40, min_visibility=0)) == len(truth.detections)
    listed = scene.ground_truth(40)
    assert listed.track_id.tolist() == truth.detections.track_id[truth.visibility >= 0.3].tolist()
    assert listed.class_names == ("person", "car", "bicycle")
    assert (listed.confidence == 1).all()


def test_a_scene_without_objects_has_empty_truth():
    assert len(Scene(SceneSettings(objects=0, frames=1)).ground_truth(0)) == 0


@pytest.mark.parametrize("seq", [-1, 120])
def test_a_frame_outside_of_the_scene_is_an_error(scene, seq):
    with pytest.raises(ValueError, match="seq must be in"):
        scene.render(seq)
    with pytest.raises(ValueError, match="seq must be in"):
        scene.ground_truth(seq)


def test_a_scene_is_a_source_of_its_frames(scene):
    source = open_scene("scene:street?seed=7&frames=120&frame_rate=30000/1001")
    assert isinstance(source, Source)
    assert source.info.name == "street-7"
    assert source.info.frame_count == 120
    assert source.info.duration_s == pytest.approx(120 * 1001 / 30000)
    frames = list(source.frames())
    assert [frame.seq for frame in frames] == list(range(120))
    assert {frame.stream for frame in frames} == {"street-7"}
    assert frames[30].pts * frames[30].time_base == Fraction(1001, 1000)
    assert (frames[0].width, frames[0].height) == (source.info.width, source.info.height)
    assert not source.losses


def test_closing_a_scene_ends_it_and_may_be_done_twice():
    source = SceneSource(SETTINGS)
    frames = source.frames()
    next(frames)
    source.close()
    source.close()
    assert next(frames, None) is None


def test_a_scene_can_be_read_once():
    source = SceneSource(SETTINGS)
    source.frames()
    with pytest.raises(MediaError, match="read already"):
        source.frames()
