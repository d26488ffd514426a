# The tools in an image for clusters: a base for enroot and pyxis, which run it unprivileged under Slurm (docs/slurm.md).
#
#   docker build -t nemotron-toolkit .                     # CPU
#   docker build -t nemotron-toolkit --build-arg BASE=nvidia/cuda:12.6.3-devel-ubuntu22.04 --build-arg PRESET=cuda .
#   enroot import -o nemotron-toolkit.sqsh dockerd://nemotron-toolkit
#
# BASE is any Debian 12 or Ubuntu 22.04 and newer. The second stage starts from RUNTIME (BASE unless told) and gets the packages
# whose libraries the tools turned out to use, so that no list of library versions stands here.
ARG BASE=debian:12-slim
ARG RUNTIME=${BASE}

FROM ${BASE} AS build
ARG PRESET=release
ENV DEBIAN_FRONTEND=noninteractive
WORKDIR /src
# The packages first: they change less often than the code. The list is bootstrap.sh's.
COPY bootstrap.sh ./
RUN apt-get update \
 && ./bootstrap.sh packages | xargs apt-get install -y --no-install-recommends \
 && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake --preset "${PRESET}" -DBUILD_TESTING=OFF \
 && cmake --build "build/${PRESET}" \
 && cmake --install "build/${PRESET}" --prefix /opt/nemotron --strip
# Which packages the tools' shared libraries come from; usr-merge gives a file two names.
RUN ldd /opt/nemotron/bin/* | awk '$3 ~ /^\// {print $3}' | sort -u | while read -r library; do \
      dpkg -S "$library" 2>/dev/null || dpkg -S "/usr$library" 2>/dev/null || dpkg -S "$(realpath "$library")" 2>/dev/null || true; \
    done | cut -d: -f1 | sort -u > /opt/nemotron/packages

FROM ${RUNTIME}
ENV DEBIAN_FRONTEND=noninteractive
COPY --from=build /opt/nemotron/packages /tmp/packages
# mpirun for a machine without Slurm; Python for generated code and the client; curl for the scripts.
RUN apt-get update \
 && xargs apt-get install -y --no-install-recommends openmpi-bin openssh-client python3 curl ca-certificates < /tmp/packages \
 && rm -rf /var/lib/apt/lists/* /tmp/packages \
 && useradd --create-home --uid 1000 nemo
COPY --from=build /opt/nemotron/bin /usr/local/bin
COPY tools/slurm /opt/nemotron/tools/slurm
COPY configs /opt/nemotron/configs
ENV NEMO_HOME=/opt/nemotron
USER nemo
WORKDIR /home/nemo
CMD ["nemo-generate", "--help"]
