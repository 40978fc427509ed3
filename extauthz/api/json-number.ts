/**
 * Whether a JSON number is read differently by parsers: the IEEE 754 double nearest to it has another decimal value, or it is
 * beyond plus or minus 2^53 - 1, where integers are rounded (RFC 8259 section 6).
 * `literal` must fit the JSON grammar.
 */
export function isUnsafeNumber(literal: string): boolean {
  const value = Number(literal);
  if (!(Math.abs(value) <= Number.MAX_SAFE_INTEGER)) return true;
  return decimal(literal) !== decimal(String(value));
}

/** One spelling for each decimal value: its digits without outer zeros, and the power of ten they count from. The sign is left out. */
function decimal(literal: string): string {
  const [mantissa = '', exponent = '0'] = literal.toLowerCase().replace(/^-/, '').split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = stripTrailingZeros(digits);
  if (significant === '') return '0';
  return `${significant}e${Number(exponent) - fraction.length + (digits.length - significant.length)}`;
}

/** By hand, since a regular expression for it takes quadratic time on long runs of zeros. */
function stripTrailingZeros(digits: string): string {
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === 0x30) end -= 1;
  return digits.slice(0, end);
}
