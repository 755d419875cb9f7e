/** A value as JSON carries it. JavaScript rounds numbers: integers beyond 2^53 and exact decimals travel as strings. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Column name → value: a row, or the part of one. */
export type JsonRow = Readonly<Record<string, Json>>;
