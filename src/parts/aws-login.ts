/** Ends a message about a key or a signature that AWS, or a server that speaks its API, refuses. */
export const AWS_LOGIN_CURE =
  'check the credentials of AWS: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile, or the role of the machine';
