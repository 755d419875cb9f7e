/** First part of the path of every endpoint but health, metrics and the documentation. */
export const API_PREFIX = 'api/v1';
