# The image of labelstream: one for every command, without a shell. See docs/deploy.md.
#   build   compiles the binary and fetches ONNX Runtime; its tree is the release archive's (tools/release)
#   root    the few Debian packages that both link to, unpacked, with what scanners read of them
#   last    those two on nothing
# Pinned: the compiler's image by its version, crates by Cargo.lock, ONNX Runtime in tools/install. Debian's packages are
# the newest of its stable release, so a build has today's security fixes.
FROM docker.io/library/rust:1.95.0-slim-bookworm AS build
WORKDIR /labelstream
COPY tools/install tools/install
RUN tools/install build onnxruntime
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/labelstream/target \
    cargo build --locked --release --package cli && tools/release folder /tree

FROM docker.io/library/rust:1.95.0-slim-bookworm AS root
WORKDIR /packages
# Of the C library's package its character sets (gconv) are dropped; of all, documents other than licences.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates=2* \
 && apt-get download base-files ca-certificates gcc-12-base libc6 libgcc-s1 libstdc++6 \
 && mkdir -p /tree/var/lib/dpkg/status.d \
 && for package in *.deb; do \
      dpkg-deb --extract "$package" /tree && \
      dpkg-deb --field "$package" >"/tree/var/lib/dpkg/status.d/${package%%_*}" || exit 1; \
    done \
 && find /tree/usr/share/doc -type f ! -name copyright -delete \
 && rm -rf /tree/usr/lib/*/gconv /tree/etc/update-motd.d /tree/usr/sbin /tree/usr/share/ca-certificates /tree/usr/share/lintian /tree/usr/share/man \
 && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /tree/etc/ssl/certs/ca-certificates.crt \
 && echo 'hosts: files dns' >/tree/etc/nsswitch.conf \
 && echo 'labelstream:x:65532:65532::/var/lib/labelstream:/usr/sbin/nologin' >/tree/etc/passwd \
 && echo 'labelstream:x:65532:' >/tree/etc/group \
 && install -d -o 65532 -g 65532 /tree/var/lib/labelstream

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="labelstream" \
      org.opencontainers.image.description="Exactly-once text classification on Kafka" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=root /tree /
COPY --from=build /tree /usr
# A worker answers to its neighbours, not only to itself; what it writes (reports, downloaded models) it writes below here.
ENV PATH=/usr/bin HOME=/var/lib/labelstream LABELSTREAM__HTTP__LISTEN=0.0.0.0:9464
USER 65532:65532
WORKDIR /var/lib/labelstream
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["labelstream", "health"]
ENTRYPOINT ["labelstream"]
CMD ["--help"]
