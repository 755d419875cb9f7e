/** An identifier as PostgreSQL reads it literally, whatever it contains. */
export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
