import subprocess
import sys
from pathlib import Path

from PIL import Image

from manifests import Dataset


def _run(script: Path, *arguments: str | Path, cwd: Path) -> str:
    done = subprocess.run([sys.executable, script, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_look_asks_and_shows(curated_sample: Path, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "demo").symlink_to(curated_sample)
    printed = _run(repository / "examples" / "first_look.py", cwd=tmp_path)
    assert "preset embedded" in printed
    assert "several_faces" in printed
    assert "dropped as frontal" in printed
    sheet = Image.open(tmp_path / "first_look.png")
    assert (sheet.width, sheet.height % 256) == (5 * 256, 0)


def test_the_first_look_is_short(repository: Path) -> None:
    source = (repository / "examples" / "first_look.py").read_text(encoding="utf-8")
    code = source.rpartition('"""')[2]
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 12


def test_the_first_clip_gives_a_portrait_and_speech_of_its_length(
    curated_sample: Path, repository: Path, tmp_path: Path
) -> None:
    _run(repository / "examples" / "first_clip.py", curated_sample, tmp_path, cwd=tmp_path)
    clip = Dataset(curated_sample).clip(0)
    assert clip.row["tier"] == "diffusion"
    with Image.open(tmp_path / "portrait.png") as portrait:
        assert portrait.tobytes() == clip.frames([0]).tobytes()
    assert (tmp_path / "speech.flac").read_bytes() == clip.flac()


def test_a_video_that_is_not_as_long_as_the_speech_is_found(
    curated_sample: Path, repository: Path, tmp_path: Path
) -> None:
    clip = Dataset(curated_sample).clip(0)
    (tmp_path / "speech.flac").write_bytes(clip.flac() or b"")
    sample = repository / "samples" / "talking_astronaut.mp4"
    done = subprocess.run(
        [sys.executable, repository / "examples" / "check_video.py", sample, tmp_path / "speech.flac"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert f"the speech asks for {clip.n_frames}" in done.stdout
