/** A stream of server-sent events, read as a page in a browser reads it. */
export interface OpenedStream {
  status: number;
  headers: Headers;
  /** The next block: `event: …`, `data: …` or a comment. Undefined at the end of the stream. */
  next(): Promise<string | undefined>;
  close(): void;
}

export async function openEventStream(url: string, headers: Record<string, string> = {}): Promise<OpenedStream> {
  const abort = new AbortController();
  const response = await fetch(url, { headers, signal: abort.signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let read = '';
  const next = async (): Promise<string | undefined> => {
    for (;;) {
      const end = read.indexOf('\n\n');
      if (end >= 0) {
        const block = read.slice(0, end).trim();
        read = read.slice(end + 2);
        if (block !== '') return block;
        continue;
      }
      const { done, value } = await reader.read();
      if (done) return undefined;
      read += value;
    }
  };
  return { status: response.status, headers: response.headers, next, close: () => abort.abort() };
}
