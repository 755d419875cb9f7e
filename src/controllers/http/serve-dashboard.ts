import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HttpStatus } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Request, Response } from 'express';
import { ServiceError } from '../../services/errors/service-error.js';

/** First part of the path of every page of the dashboard. */
export const DASHBOARD_PATH = '/ui';

/**
 * Only files of the service itself: no script in a page, no style in an attribute, nothing of another host. Pages of other sites
 * cannot show it in a frame.
 */
const CONTENT_POLICY =
  "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
/** A file with the hash of its content in its name never changes. */
const HASHED = /[/\\]assets[/\\][^/\\]+$/;
const ONE_YEAR = 31_536_000;

/** Serves the dashboard. Its files need no key; all that they show comes from the REST API, which asks for one. */
export function serveDashboard(app: NestExpressApplication, folder = dashboardFolder()): void {
  const index = join(folder, 'index.html');
  app.useStaticAssets(folder, {
    prefix: DASHBOARD_PATH,
    index: false,
    redirect: false,
    setHeaders: (response, path) => setHeaders(response as Response, HASHED.test(path)),
  });
  // The address of a page is one of the dashboard itself, not of a file.
  const page = (_request: Request, response: Response): void => {
    if (!existsSync(index)) {
      throw new ServiceError('ROUTE_NOT_FOUND', 'The dashboard was not built; `npm run build` builds it into dist/ui');
    }
    setHeaders(response, false);
    response.sendFile(index);
  };
  const server = app.getHttpAdapter().getInstance();
  // A person who opens the address in a browser looks for the dashboard. It leads to the documentation.
  server.get('/', (_request, response) => response.redirect(HttpStatus.FOUND, DASHBOARD_PATH));
  server.get(DASHBOARD_PATH, page);
  server.get(`${DASHBOARD_PATH}/*path`, (request: Request, response: Response) => {
    if (request.path.startsWith(`${DASHBOARD_PATH}/assets/`)) {
      throw new ServiceError('ROUTE_NOT_FOUND', 'The dashboard has no such file; load its page again');
    }
    page(request, response);
  });
}

function setHeaders(response: Response, hashed: boolean): void {
  response.setHeader('Content-Security-Policy', CONTENT_POLICY);
  response.setHeader('Cache-Control', hashed ? `public, max-age=${ONE_YEAR}, immutable` : 'no-store');
}

/** `dist/ui` beside package.json. This file may be one of `src`, of `dist/modules`, or part of a bundle. */
function dashboardFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return join(folder, 'dist/ui');
}
