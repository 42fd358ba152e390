from curation.assets import asset_names
from curation.perception.dlib_faces import DlibFaces
from curation.perception.mediapipe_faces import MediaPipeFaces
from curation.perception.model_set import FACE_FINDERS, PerceptionSettings, perception_assets
from manifests.landmarks import landmark_schemes


def test_what_is_said_of_a_face_finder_is_what_the_finder_says_itself() -> None:
    for name, finder in {"mediapipe": MediaPipeFaces, "dlib": DlibFaces}.items():
        assert (FACE_FINDERS[name].scheme, FACE_FINDERS[name].pose_method) == (finder.scheme, finder.pose_method)
        assert finder.scheme in landmark_schemes()


def test_every_choice_of_faces_names_weights_that_the_registry_has() -> None:
    for name in FACE_FINDERS:
        assert set(perception_assets(PerceptionSettings(faces=name))) <= set(asset_names())
