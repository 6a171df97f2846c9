/** How numbers are shown to people: digits that mean something, thin grouping, units last. Pure. */

/** Three significant digits below 1,000, whole numbers with grouping above; "–" for what was not measured. */
export function number(value: number | null): string {
  if (value === null || Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  if (size >= 0.1) return value.toFixed(2);
  return value.toPrecision(2);
}

/** A ratio as people say it: "12.3×". */
export function times(value: number | null): string {
  return value === null || Number.isNaN(value) ? "–" : `${number(value)}×`;
}

/** A share as "±12 %" around a median: half the spread either side. */
export function spread(value: number): string {
  return Number.isNaN(value) ? "–" : `±${Math.round((value / 2) * 100)} %`;
}

/** Short form for axis labels: 1k, 250k, 1.5M. */
export function short(value: number): string {
  if (value >= 1_000_000) return `${trim(value / 1_000_000)}M`;
  if (value >= 1_000) return `${trim(value / 1_000)}k`;
  return trim(value);
}

/** Bytes as MiB or GiB. */
export function bytes(value: number): string {
  const gib = value / 2 ** 30;
  return gib >= 1 ? `${gib.toFixed(1)} GiB` : `${(value / 2 ** 20).toFixed(1)} MiB`;
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)));
}
