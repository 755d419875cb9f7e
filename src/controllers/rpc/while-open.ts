/** On a closed channel amqplib throws. The broker has then done the rest itself. */
export function whileOpen(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'IllegalOperationError') throw error;
  }
}
