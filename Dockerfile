# syntax=docker/dockerfile:1

# The same version as the package `node` in package.json, which development machines run on.
ARG NODE_IMAGE=node:26.10.0-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Without install scripts: none is needed to build or run, and the package `node` would fetch a second Node to stand before the image's own.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/ scripts/
COPY bin/ bin/
COPY sidecar/ sidecar/
COPY extauthz/ extauthz/
COPY injector/ injector/
COPY runtime/ runtime/
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

# What docker-compose.yml and manifests/overlays/example show Sidegate with: an issuer, MCP servers, an agent. For development only.
# `docker build --target examples .`
FROM build AS examples
COPY examples/ examples/
COPY manifests/compose/ manifests/compose/
# Volumes mounted here take over these owners.
RUN install -d -o 9400 -g 9400 /prepared/policy /prepared/sidecar /prepared/agent
USER 1000:1000

# The product; it is what `docker build .` makes.
FROM ${NODE_IMAGE} AS sidegate
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules/ node_modules/
COPY --from=build /app/dist/ dist/
COPY package.json LICENSE ./
RUN install -d -o 9400 -g 9400 /var/lib/sidegate
# A number, so that Kubernetes can tell that it is not root.
USER 9400:9400
ENTRYPOINT ["node", "dist/bin/sidegate.js"]
