import { Injectable, type PipeTransform } from '@nestjs/common';
import { cutText } from '../../../services/errors/cut-text.js';
import { ServiceError } from '../../../services/errors/service-error.js';

const LARGEST_BIGINT = 2n ** 63n - 1n;

/** Refuses with `INVALID_REQUEST` what cannot be the number of a chunk. */
@Injectable()
export class ChunkIdPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    if (/^\d{1,19}$/.test(value) && BigInt(value) <= LARGEST_BIGINT) return value;
    throw new ServiceError('INVALID_REQUEST', `The id of a chunk must be a number, got '${cutText(value, 100)}'`, {
      parameter: 'id',
    });
  }
}
