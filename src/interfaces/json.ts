/** A JSON value. JavaScript rounds numbers, so integers beyond 2^53 and exact decimals are sent as strings. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Column name → value: a row, or the part of one. */
export type JsonRow = Readonly<Record<string, Json>>;
