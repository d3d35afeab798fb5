# Kafka or Cassandra on the locally made JRE image, for development and tests. Built by engines.sh.
ARG BASE
FROM ${BASE}
ARG ENGINE
ARG VERSION
ARG CONTENT
COPY lib /opt/${ENGINE}/lib
COPY files /opt/${ENGINE}
RUN ln -s /opt/${ENGINE}/run /usr/local/bin/run-engine && install -d -o 10001 -g 10001 /data
LABEL org.opencontainers.image.title="chat4all/${ENGINE}" \
      org.opencontainers.image.description="${ENGINE} for development and tests of Chat4All" \
      org.opencontainers.image.version="${VERSION}" \
      io.chat4all.content="${CONTENT}"
USER 10001:10001
VOLUME /data
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/run-engine"]
