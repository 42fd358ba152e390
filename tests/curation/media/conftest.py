import importlib.util
import sys
from pathlib import Path

# made_videos.py lies at the top of tests/, which is on no import path (importlib mode): its name is bound here, once
if "made_videos" not in sys.modules:
    _PATH = Path(__file__).resolve().parents[2] / "made_videos.py"
    _SPEC = importlib.util.spec_from_file_location("made_videos", _PATH)
    assert _SPEC is not None
    assert _SPEC.loader is not None
    sys.modules["made_videos"] = importlib.util.module_from_spec(_SPEC)
    _SPEC.loader.exec_module(sys.modules["made_videos"])
