const GROUPED = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** 12,345 */
export const grouped = (value: number): string => GROUPED.format(value);

/** 1.23 s */
export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`;

export const perSecond = (count: number, milliseconds: number): number => (count * 1000) / milliseconds;
