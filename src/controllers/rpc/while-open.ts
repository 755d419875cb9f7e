/** On a closed channel amqplib throws; what is left to do there the broker has done. */
export function whileOpen(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'IllegalOperationError') throw error;
  }
}
