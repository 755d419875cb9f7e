import type { FileStore } from './file-store.js';
import type { FilesSettings } from './files-settings.js';

/**
 * Opens the place that the settings name. Nothing is connected before the first call.
 *
 * @throws PartError PACKAGE_MISSING
 */
export async function openFileStore(settings: FilesSettings): Promise<FileStore> {
  const { place } = settings;
  if (place.kind === 'ftp') return (await import('./ftp-file-store.js')).FtpFileStore.open(place, settings);
  return (await import('./s3-file-store.js')).S3FileStore.open(place, settings);
}
