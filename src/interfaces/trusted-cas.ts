/** The variable of Node that names a file with CAs to be trusted. Node reads it once, when the process starts. */
export const TRUSTED_CAS = 'NODE_EXTRA_CA_CERTS';
