# One image with the two programs of Helsebro: worker and starter.
FROM golang:1.26.8-bookworm AS build

WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Static binaries: the last stage has no C library. Time zones are in the binaries.
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/usr/local/bin/ ./worker ./starter
# The state directory belongs to the user that runs, and so does a volume that is
# mounted there for the first time.
RUN mkdir -p /out/var/lib/helsebro /out/etc/ssl/certs \
    && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
    && echo 'helsebro:x:65532:65532:helsebro:/var/lib/helsebro:/sbin/nologin' > /out/etc/passwd \
    && echo 'helsebro:x:65532:' > /out/etc/group

# Nothing but the binaries, the root certificates and one user: there is no shell to
# get into and no package to patch. Health is asked by a subcommand of starter.
FROM scratch

COPY --from=build /out/usr /usr
COPY --from=build /out/etc /etc
COPY --from=build --chown=65532:65532 /out/var/lib/helsebro /var/lib/helsebro

USER 65532:65532
WORKDIR /var/lib/helsebro
CMD ["/usr/local/bin/worker"]
