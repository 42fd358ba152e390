#!/usr/bin/env bash
# From raw videos to a talking video, all steps in one: curate, train the VAE, encode, train the motion model, generate.
#
#   examples/end_to_end.sh VIDEOS OUT
#
# VIDEOS is what `gaia-curate run --source` takes: a folder, file, glob pattern or CSV list. OUT is the folder that
# everything is written to; the same command again resumes where it stopped. Steps by environment variables:
#
#   GAIA_VAE_STEPS        of the VAE, default 5000: about 20 minutes on two cores
#   GAIA_DIFFUSION_STEPS  of the motion model, default 1500: about 10 minutes on two cores
#   GAIA_PRESET           models that curate: embedded (default) or paper
#   GAIA_PORTRAIT         image of the face; default: a frame of the first clip
#   GAIA_SPEECH           audio of the speech; default: that of the first clip
#
# Networks of size `tiny` are trained; they show that the steps fit together, not what the large ones can do.
set -euo pipefail
if [[ $# -ne 2 ]]; then
  sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
fi
videos=$1 out=$2
vae_steps=${GAIA_VAE_STEPS:-5000} diffusion_steps=${GAIA_DIFFUSION_STEPS:-1500}
mkdir -p "$out"
gaia-curate run --source "$videos" --out "$out/dataset" --preset "${GAIA_PRESET:-embedded}"
gaia-train vae "$out/dataset" --out "$out/vae" --size tiny --set "train.steps=$vae_steps"
gaia-train latents "$out/dataset" --vae "$out/vae"
gaia-train diffusion "$out/dataset" --vae "$out/vae" --out "$out/diffusion" --size tiny \
  --set "train.steps=$diffusion_steps"

if [[ -z ${GAIA_PORTRAIT:-} || -z ${GAIA_SPEECH:-} ]]; then
  python "$(dirname "$0")/first_clip.py" "$out/dataset" "$out/driving"
fi
gaia-generate --run "$out/diffusion" --out "$out/talking.mp4" \
  --portrait "${GAIA_PORTRAIT:-$out/driving/portrait.png}" --speech "${GAIA_SPEECH:-$out/driving/speech.flac}"
python "$(dirname "$0")/check_video.py" "$out/talking.mp4" "${GAIA_SPEECH:-$out/driving/speech.flac}"
