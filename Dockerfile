# A whole shop in one image: with no settings it runs its own MongoDB and Redis on the volume /data;
# with SHOP_MONGODB_URL and SHOP_REDIS_URL it keeps nothing and may run many times.

FROM python:3.11-slim-bookworm AS build
WORKDIR /build

COPY locks locks
RUN python -m venv /opt/storefold
RUN /opt/storefold/bin/pip install --no-cache-dir --require-hashes -r locks/run.txt
RUN python -m venv /opt/build
RUN /opt/build/bin/pip install --no-cache-dir --require-hashes -r locks/build.txt

COPY pyproject.toml LICENSE README.md ./
COPY src src
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist .
RUN /opt/storefold/bin/pip install --no-cache-dir --no-deps --no-index dist/*.whl
# What only installs or builds stays behind.
RUN /opt/storefold/bin/python -m pip uninstall --yes setuptools pip


FROM python:3.11-slim-bookworm
# mongod needs libcurl.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libcurl4 \
    && rm -rf /var/lib/apt/lists/* \
    && python -m pip uninstall --yes wheel setuptools pip \
    && useradd --system --uid 10001 --home-dir /tmp --no-create-home shop \
    && install --directory --owner 10001 --group 10001 /data
COPY --from=build /opt/storefold /opt/storefold

ENV PATH=/opt/storefold/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    SHOP_DATA_DIR=/data
# The root file system may be read-only: only /data and /tmp are written.
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as web; web.build_opener(web.ProxyHandler({})).open('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["shop"]
CMD ["serve", "--host", "0.0.0.0"]
