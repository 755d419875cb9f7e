/** Writes the files of the template for a name into a folder. */
export function renderTemplate(name: string, folder: string): Promise<void>;
