# Two stages: what builds is left behind, and what runs is Debian with libpq and libyaml, and no root.
#
#     docker build -t pgsidecar .
#     docker run -v ./pgsidecar.yaml:/etc/pgsidecar/pgsidecar.yaml:ro -v sockets:/run/pgsidecar pgsidecar
#
# The project's tests run without Docker, so this file is not among what they try; `make test-deb` tries the same steps.

FROM swift:6.3-bookworm AS build
RUN apt-get update -q && apt-get install -qy --no-install-recommends libpq-dev libyaml-dev make pkg-config
WORKDIR /src
COPY . .
RUN make build && make install DESTDIR=/out PREFIX=/usr

FROM debian:bookworm-slim
RUN apt-get update -q \
    && apt-get install -qy --no-install-recommends ca-certificates libpq5 libyaml-0-2 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin pgsidecar \
    && install -d -o pgsidecar -g pgsidecar -m 0755 /run/pgsidecar
COPY --from=build /out/usr/bin/pgsidecar /usr/bin/
# Applications in other containers share this folder, and are of the group 10001 or have its mode let them in.
VOLUME /run/pgsidecar
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["pgsidecar"]
CMD ["serve", "--config", "/etc/pgsidecar/pgsidecar.yaml"]
