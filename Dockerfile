# One image, one process a container: `docker run reviewsvc web | worker | consume capture | consume relay | …`

FROM python:3.13-slim-bookworm AS build
WORKDIR /source
COPY requirements/build.txt requirements/run.txt requirements/
RUN python -m venv /opt/reviewsvc \
    && /opt/reviewsvc/bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt \
    && pip install --no-cache-dir --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY migrations migrations
COPY consumers consumers
COPY reviewsvc reviewsvc
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation -w /wheels . \
    && /opt/reviewsvc/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:3.13-slim-bookworm
# The signer is another user, with a folder of its own; the group may open its socket.
RUN groupadd --gid 10001 reviewsvc \
    && useradd --uid 10001 --gid reviewsvc --home-dir /var/lib/reviewsvc --create-home reviewsvc \
    && useradd --uid 10002 --gid reviewsvc --home-dir /var/lib/signer --no-create-home signer \
    && install -d -o reviewsvc -g reviewsvc -m 0700 /var/lib/worker \
    && install -d -o signer -g reviewsvc -m 0700 /var/lib/signer \
    && install -d -o signer -g reviewsvc -m 0750 /run/signer \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/reviewsvc-exports
COPY --from=build /opt/reviewsvc /opt/reviewsvc
ENV PATH=/opt/reviewsvc/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    REVIEWSVC_BIND=0.0.0.0 \
    REVIEWSVC_DATA_DIR=/var/lib/reviewsvc \
    REVIEWSVC_HEALTH_PORT=8081
USER 10001:10001
WORKDIR /var/lib/reviewsvc
EXPOSE 8080 8081
# What is healthy depends on the process: docker-compose.yml asks each at its own port.
HEALTHCHECK NONE
ENTRYPOINT ["reviewsvc"]
CMD ["web"]
