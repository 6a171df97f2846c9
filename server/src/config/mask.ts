/**
 * Keeps secrets out of what is shown (elsewhere: redaction): passwords in URLs by their form, known secrets by their
 * text, also as they look in a URL, in base64 and inside JSON.
 */

/** Stands where a secret was. */
export const SECRET = "[secret]";

/** Shorter texts are not looked for: replacing every "a" would hide everything but the secret. */
const LENGTH_MIN = 4;
// The password may hold "@" and ":" itself; it ends at the last "@" before what no URL holds.
const URL_PASSWORD = /\b([a-z][a-z0-9+.-]*:\/\/[^\s:@/"'\\]*:)[^\s"'\\]+@/gi;

/** Hides the password of every URL within a text. */
export function maskUrls(text: string): string {
  return text.includes("://") ? text.replace(URL_PASSWORD, `$1${SECRET}@`) : text;
}

/** The password within a URL, as it stands there and as it is meant; null if there is none. */
export function passwordIn(url: string): readonly string[] | null {
  const [found] = [...url.matchAll(URL_PASSWORD)];
  if (found?.[1] === undefined) return null;
  const written = found[0].slice(found[1].length, -1);
  return [...new Set([written, decoded(written)])];
}

/** Makes a function that hides these secrets, and the password of every URL, within a text. */
export function makeMask(secrets: readonly string[]): (text: string) => string {
  const forms = new Set<string>();
  for (const secret of secrets) {
    if (secret.length < LENGTH_MIN) continue;
    const base64 = Buffer.from(secret).toString("base64");
    const shapes = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), base64];
    for (const shape of [...shapes, base64.replace(/=+$/, "")]) forms.add(shape);
  }
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((shown, form) => shown.replaceAll(form, SECRET), maskUrls(text));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
