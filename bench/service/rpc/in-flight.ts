/** Makes a call for each item, so many of them at a time. After a failure no further call is begun. @throws that failure */
export async function callEach<T>(
  items: readonly T[],
  inFlight: number,
  call: (item: T) => Promise<unknown>,
): Promise<void> {
  const open = items.values();
  let failed = false;
  const callRest = async (): Promise<void> => {
    for (const item of open) {
      if (failed) return;
      await call(item);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(inFlight, items.length) }, callRest));
  } catch (error) {
    failed = true;
    throw error;
  }
}
