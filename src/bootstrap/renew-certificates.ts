import type { Server } from 'node:tls';
import type { INestApplicationContext } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Logger } from 'pino';
import type { Settings } from '../services/config/settings.js';
import type { Certificates } from '../services/tls/certificates.js';
import { serverTls } from '../services/tls/server-tls.js';

/** Certificates are renewed days before they expire, so a minute is soon enough. */
export const RENEW_EVERY_MS = 60_000;

/**
 * Reads the files of the certificates again every minute. New connections use the new content. Files that cannot be
 * used (a renewal may be half done) change nothing, and are reported once.
 *
 * @returns a function that ends it
 */
export function renewCertificates(settings: Settings, app: INestApplicationContext, logger: Logger): () => void {
  const { database, redis, rabbitmq, http } = settings;
  const watched = [database.ssl.certificates, redis?.certificates, rabbitmq?.certificates, http.certificates]
    .filter((certificates) => certificates !== undefined)
    .map((certificates) => ({ certificates, told: '' }));
  if (watched.length === 0) return () => undefined;

  const renew = (certificates: Certificates): void => {
    if (!certificates.renew()) return;
    if (certificates === http.certificates) httpsServer(app)?.setSecureContext(serverTls(certificates));
    logger.info(`Certificates were renewed: ${Object.keys(certificates.environment).join(', ')}`);
  };
  const timer = setInterval(() => {
    for (const each of watched) {
      try {
        renew(each.certificates);
        each.told = '';
      } catch (error) {
        const { message } = error as Error;
        if (message !== each.told)
          logger.warn(`Certificates were not renewed, so the earlier ones are still used: ${message}`);
        each.told = message;
      }
    }
  }, RENEW_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** A worker without probes has no server. */
function httpsServer(app: INestApplicationContext): Server | undefined {
  return 'getHttpServer' in app ? ((app as NestExpressApplication).getHttpServer() as unknown as Server) : undefined;
}
