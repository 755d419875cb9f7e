/** Where files are. */
export interface FilesSettings {
  place: FtpPlace | S3Place;
  /** Of each call, from its beginning to the end of its stream. */
  timeoutMs: number;
}

export interface FtpPlace {
  kind: 'ftp';
  host: string;
  port: number;
  user: string;
  password: string;
  /** `explicit`: the connection is encrypted by AUTH TLS. `implicit`: it is encrypted from its beginning. */
  tls: 'none' | 'explicit' | 'implicit';
  /** The folder that all paths are in, without a `/` at its end. Empty: the folder of the login. */
  root: string;
}

export interface S3Place {
  kind: 's3';
  bucket: string;
  /** The beginning of all keys, without a `/` at its end. */
  root: string;
  region: string;
  /** Of a server that is not AWS'. It is asked with the bucket in the path. */
  endpoint: string | undefined;
}
