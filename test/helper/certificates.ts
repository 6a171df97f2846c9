/**
 * Certificates for a test: an authority of its own and what it signs, made by the openssl program in a temporary folder.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Paths of a certificate and its key. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Whether there is an openssl program. */
export function hasOpenssl(): boolean {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** An authority that signs. */
export class Authority implements Disposable {
  /** Path of its own certificate. */
  readonly ca: string;
  readonly #dir = mkdtempSync(join(tmpdir(), "millrace-ca-"));
  readonly #key: string;
  #signed = 0;

  constructor() {
    this.ca = join(this.#dir, "ca.pem");
    this.#key = join(this.#dir, "ca.key");
    const subject = ["-subj", "/CN=Millrace test authority", "-days", "2"];
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", this.#key, "-out", this.ca, ...subject);
  }

  /** Signs a certificate for names like `DNS:localhost` and `IP:127.0.0.1`. `days` below zero: it has expired. */
  sign(names: string, days = 2): Certificate {
    const base = join(this.#dir, `signed-${++this.#signed}`);
    const [key, request, cert, extensions] = [`${base}.key`, `${base}.csr`, `${base}.pem`, `${base}.ext`];
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=millrace");
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    const by = ["-CA", this.ca, "-CAkey", this.#key, "-CAcreateserial", "-extfile", extensions];
    openssl("x509", "-req", "-in", request, "-out", cert, "-days", String(days), ...by);
    return { cert, key };
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: "ignore" });
}
