/** Sequence numbers as the text of an `int8multirange`, with neighbours joined: `{[1,4),[7,8)}`. */
export function toMultirange(seqs: readonly number[]): string {
  const ranges: string[] = [];
  const sorted = [...seqs].sort((a, b) => a - b);
  let from = sorted[0];
  sorted.forEach((seq, index) => {
    if (sorted[index + 1] === seq + 1) return;
    ranges.push(`[${from},${seq + 1})`);
    from = sorted[index + 1];
  });
  return `{${ranges.join(',')}}`;
}
