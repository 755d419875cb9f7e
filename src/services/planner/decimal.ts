/** BigInt reads and writes a number in time that grows with the square of its length. */
const MOST_CHARACTERS = 100;
const DECIMAL = /^([+-]?)(\d+)(?:\.(\d+))?$/;

/** An exact decimal number without exponent: `digits` divided by ten to the power of `scale`. */
export interface Decimal {
  digits: bigint;
  scale: number;
}

/** Undefined for texts in another form, or with more than 100 characters. */
export function parseDecimal(text: string): Decimal | undefined {
  const match = text.length <= MOST_CHARACTERS ? DECIMAL.exec(text) : null;
  if (match === null) return undefined;
  const fraction = match[3] ?? '';
  return { digits: BigInt(`${match[1] === '-' ? '-' : ''}${match[2]}${fraction}`), scale: fraction.length };
}

/** The sum has the greater scale of both, as in PostgreSQL's numeric. */
export function addDecimals(one: Decimal, other: Decimal): Decimal {
  const scale = Math.max(one.scale, other.scale);
  return { digits: atScale(one, scale) + atScale(other, scale), scale };
}

export function formatDecimal({ digits, scale }: Decimal): string {
  const negative = digits < 0n;
  const text = (negative ? -digits : digits).toString().padStart(scale + 1, '0');
  const whole = text.slice(0, text.length - scale);
  return `${negative ? '-' : ''}${whole}${scale > 0 ? `.${text.slice(-scale)}` : ''}`;
}

const atScale = ({ digits, scale }: Decimal, wanted: number): bigint => digits * 10n ** BigInt(wanted - scale);
