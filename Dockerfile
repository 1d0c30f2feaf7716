# docker build -t portico .
#
# The proxy, discovery and the controller in one container, as an account without rights; see docs/operations.md, "In a container".
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential pkg-config libevent-dev \
    libcurl4-openssl-dev libjansson-dev libcmocka-dev libyaml-dev libsqlite3-dev libssl-dev uthash-dev libseccomp-dev
WORKDIR /source
COPY . .
RUN make -j"$(nproc)" all && make install DESTDIR=/image && mkdir /state

FROM debian:bookworm-slim AS libraries
RUN apt-get update && apt-get install -y --no-install-recommends libevent-core-2.1-7 libevent-extra-2.1-7 \
    libcurl4 libjansson4 libyaml-0-2 libsqlite3-0 libseccomp2 && rm -rf /var/lib/apt/lists/*

FROM libraries
COPY --from=build /image/ /
COPY --from=build --chown=10001:10001 /state /var/lib/portico
USER 10001:10001
VOLUME /var/lib/portico
EXPOSE 80
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/usr/local/bin/portico", "health", "--config", "/etc/portico/portico.yaml"]
ENTRYPOINT ["/usr/local/bin/portico"]
CMD ["run", "--config", "/etc/portico/portico.yaml"]
