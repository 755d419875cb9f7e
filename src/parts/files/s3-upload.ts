import type { Readable } from 'node:stream';
import type * as s3Package from '@aws-sdk/client-s3';
import type { CompletedPart, S3Client } from '@aws-sdk/client-s3';

export type S3 = typeof s3Package;

interface Target {
  Bucket: string;
  Key: string;
}

/** S3 allows 10 000 parts, so a file of 80 GB. A part must have 5 MiB, other than the last one. */
const PART_BYTES = 8 * 1024 * 1024;
/** For the end of an upload that has failed. The caller waits for it. */
const ABORT_MS = 5000;

/**
 * Stores a stream of any length. S3 must know the length of each request before. So a short stream is one request, and a longer one is
 * several parts that S3 puts together at the end. The object appears then, as a whole. A part is kept in memory at a time.
 */
export async function uploadToS3(
  s3: S3,
  client: S3Client,
  target: Target,
  source: Readable,
  abortSignal: AbortSignal,
): Promise<void> {
  const parts = inParts(source);
  const first = await parts.next();
  const Body = first.done ? Buffer.alloc(0) : first.value;
  if (Body.length < PART_BYTES) {
    await client.send(new s3.PutObjectCommand({ ...target, Body }), { abortSignal });
    return;
  }
  const { UploadId } = await client.send(new s3.CreateMultipartUploadCommand(target), { abortSignal });
  try {
    const Parts: CompletedPart[] = [];
    const send = async (part: Buffer): Promise<void> => {
      const PartNumber = Parts.length + 1;
      const command = new s3.UploadPartCommand({ ...target, UploadId, PartNumber, Body: part });
      const { ETag } = await client.send(command, { abortSignal });
      Parts.push({ ETag, PartNumber });
    };
    await send(Body);
    for await (const part of parts) await send(part);
    const command = new s3.CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } });
    await client.send(command, { abortSignal });
  } catch (error) {
    // What has failed before is what the caller is told. Parts that stay are removed by a rule of the bucket.
    const abort = new s3.AbortMultipartUploadCommand({ ...target, UploadId });
    await client.send(abort, { abortSignal: AbortSignal.timeout(ABORT_MS) }).catch(() => undefined);
    throw error;
  }
}

/** Parts of PART_BYTES. The last one is shorter. */
async function* inParts(source: Readable): AsyncGenerator<Buffer, undefined> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    waiting.push(chunk);
    bytes += chunk.length;
    while (bytes >= PART_BYTES) {
      const all = Buffer.concat(waiting);
      yield all.subarray(0, PART_BYTES);
      waiting = [all.subarray(PART_BYTES)];
      bytes -= PART_BYTES;
    }
  }
  if (bytes > 0) yield Buffer.concat(waiting);
  return undefined;
}
