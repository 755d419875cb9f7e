/** First part of the path of every endpoint except health, metrics and the documentation. */
export const API_PREFIX = 'api/v1';
