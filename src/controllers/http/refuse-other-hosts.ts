import { isIP } from 'node:net';
import type { NextFunction, Request, Response } from 'express';
import { isLoopback } from '../../services/config/open-access.js';
import type { Settings } from '../../services/config/settings.js';
import { cutText } from '../../services/errors/cut-text.js';
import { ServiceError } from '../../services/errors/service-error.js';

const SHOWN_HOST = 100;

/**
 * Middleware for a service that asks for no keys because only this machine reaches it. A page in a browser of this machine reaches it
 * as well, when the page's own name is given the address 127.0.0.1 after the page was loaded (DNS rebinding): the browser takes the
 * service for the page's own host, and lets the page read and write. Its requests still carry the name of the page in `Host`.
 */
export function refuseOtherHosts({ access, http }: Pick<Settings, 'access' | 'http'>) {
  const guarded = !access.required && !access.allowOpen && isLoopback(http.host);
  return ({ headers: { host } }: Request, _response: Response, next: NextFunction): void => {
    // Every browser names a host.
    if (!guarded || host === undefined || !isDomainName(withoutPort(host))) return next();
    next(
      new ServiceError(
        'HOST_NOT_ALLOWED',
        `The service asks for no keys, so it does not answer under the domain name ${cutText(host, SHOWN_HOST)}, but under localhost and addresses; ` +
          'set BATCH_REQUIRE_API_KEY=true, or BATCH_ALLOW_OPEN_ACCESS=true where a proxy protects it',
      ),
    );
  };
}

/** Only such a name can be a page's: the internet gives an address neither to a name without a dot nor to `localhost`. */
function isDomainName(host: string): boolean {
  const name = host.replace(/\.$/, '');
  return name.includes('.') && isIP(name) === 0 && !name.startsWith('[') && !name.toLowerCase().endsWith('.localhost');
}

function withoutPort(host: string): string {
  return host.replace(/:\d*$/, '');
}
