import { Injectable, type PipeTransform } from '@nestjs/common';
import { parseOperationId } from '../../operation-id.js';

/** Refuses with `INVALID_ID` what is not a UUID. */
@Injectable()
export class OperationIdPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    return parseOperationId(value);
  }
}
