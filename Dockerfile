# One executable on a small base. Build: docker build --build-arg FLOTILLA_COMMIT=$(git rev-parse HEAD) -t flotilla .
FROM denoland/deno:2.9.6 AS build
ARG FLOTILLA_COMMIT=unknown
WORKDIR /source
COPY deno.json deno.lock main.ts LICENSE ./
COPY src ./src
COPY proto ./proto
COPY config ./config
COPY models ./models
COPY examples ./examples
COPY tools ./tools
RUN FLOTILLA_COMMIT=${FLOTILLA_COMMIT} deno task compile --out dist/flotilla

FROM debian:trixie-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends curl \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --create-home --uid 1000 flotilla
COPY --from=build /source/dist/flotilla /usr/local/bin/flotilla
# The working folder holds data, state, runs and the clients' identities.
WORKDIR /flotilla
# A named volume takes its owner from the folder that it is mounted on.
RUN mkdir runs state temp_1 temp_2 && chown -R flotilla /flotilla
USER flotilla
# Few heaps for the many threads of the runtime: a client takes 7 MB less.
ENV MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=131072
EXPOSE 12345
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:12345/healthz"]
ENTRYPOINT ["flotilla"]
CMD ["server", "--host", "0.0.0.0"]
