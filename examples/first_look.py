"""First look at a dataset, here that of `make demo`: what it holds, what was dropped and why, what a clip looks like.

The last lines decide again with a rule of the user's own; no model runs. In a notebook, `data` and `contact_sheet()`
show themselves, and need neither `print` nor `save`.
"""

import curation
from manifests import Dataset

data = Dataset("out/demo")
print(data)
print(data.query("SELECT outcome, round(sum(hours) * 3600, 1) AS s FROM drops GROUP BY outcome ORDER BY s DESC"))
print(data.explain("talking_astronaut.mp4", second=10))
data.clip(0).contact_sheet(every=25).save("first_look.png")


@curation.rule(words="opening of the mouth", unit="face heights", at_most=0.1)
def wide_open_mouth(video):
    return video.face.lip_aperture


print(curation.redecide("out/demo", "out/calm", rules=[wide_open_mouth]))
