"""First look at a dataset, here that of `make demo`: what it holds, what was dropped and why, what a clip looks like.

In a notebook, `data` and `contact_sheet()` show themselves, and need neither `print` nor `save`.
"""

from manifests import Dataset

data = Dataset("out/demo")
print(data)
print(data.query("SELECT outcome, round(sum(hours) * 3600, 1) AS s FROM drops GROUP BY outcome ORDER BY s DESC"))
print(data.explain("talking_astronaut.mp4", second=10))
print(data.clips(tier="diffusion", columns=["clip_id", "n_frames", "snr_db"]).to_pylist())
data.clip(0).contact_sheet(every=25).save("first_look.png")
