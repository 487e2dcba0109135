# A worker that runs the flows. Not yet run by us: no container engine was at hand when it was written (docker/README.md).
FROM python:3.11-slim-bookworm

# MediaPipe and OpenCV link these.
RUN apt-get update \
 && apt-get install -y --no-install-recommends git libegl1 libgl1 libgles2 libglib2.0-0 libx11-6 make \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 bitface

WORKDIR /app
COPY --chown=bitface pyproject.toml constraints.txt params.yaml README.md LICENSE ./
COPY --chown=bitface src ./src
COPY --chown=bitface flows ./flows
COPY --chown=bitface docs/glossary.md ./docs/glossary.md
RUN pip install --no-cache-dir -c constraints.txt -e '.[servers]'

USER bitface
ENV BITFACE_HOME=/var/lib/bitface/home \
    BITFACE_CACHE=/var/lib/bitface/cache \
    BITFACE_DATA=/var/lib/bitface/store/data \
    DO_NOT_TRACK=true \
    DVC_NO_ANALYTICS=1 \
    GX_ANALYTICS_ENABLED=false \
    MLFLOW_DISABLE_TELEMETRY=true \
    PREFECT_SERVER_ANALYTICS_ENABLED=false
VOLUME /var/lib/bitface
CMD ["bitface", "retrain"]
