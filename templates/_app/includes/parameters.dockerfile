# The container's interface: each parameter with its unit and default.
# To change one, start the container again with another value; the image stays.

# Address to listen on.
ENV HOST=0.0.0.0
# TCP port to listen on, 0 to 65535.
ENV PORT={{ app.port }}
# Text that the page greets with.
ENV GREETING=Hello
# Duration (ms, s, m, h): how long requests under way may take after SIGTERM.
ENV SHUTDOWN_GRACE=10s

# HTTP: /, and /livez and /readyz for probes.
EXPOSE {{ app.port }}

# Parameters are called as their variables are.
# hadolint ignore=DL3048
LABEL org.opencontainers.image.title="{{ name }}" \
      org.opencontainers.image.description="A small HTTP service" \
      org.opencontainers.image.version="0.1.0" \
      dev.motif.parameter.HOST="address; default 0.0.0.0; address to listen on" \
      dev.motif.parameter.PORT="port; default {{ app.port }}; TCP port to listen on" \
      dev.motif.parameter.GREETING="text; default Hello; text that the page greets with" \
      dev.motif.parameter.SHUTDOWN_GRACE="duration; default 10s; how long requests under way may take after SIGTERM"

USER 65532:65532
