import { Injectable, type PipeTransform } from '@nestjs/common';
import { LANES } from '../../../services/queue/assign-lanes.js';
import { cutText } from '../../../services/errors/cut-text.js';
import { ServiceError } from '../../../services/errors/service-error.js';

/** Refuses with `INVALID_REQUEST` what cannot be a lane. */
@Injectable()
export class LanePipe implements PipeTransform<string, number> {
  transform(value: string): number {
    if (/^\d{1,2}$/.test(value) && Number(value) < LANES) return Number(value);
    throw new ServiceError(
      'INVALID_REQUEST',
      `A lane must be a number from 0 to ${LANES - 1}, got '${cutText(value, 100)}'`,
      { parameter: 'lane' },
    );
  }
}
