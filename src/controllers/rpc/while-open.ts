/** amqplib throws on a closed channel. The broker has then taken its messages back, so nothing is left to do. */
export function whileOpen(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'IllegalOperationError') throw error;
  }
}
