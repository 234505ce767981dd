// An SSHSIG signature with Ed25519 over the manifest. Gives the signing key's fingerprint, which a person
// compares with the paper: no list of keys that lies beside the data could say whom to trust.

import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";

const HASHES = { sha256, sha512 };

/** `SHA256:…` of the key that signed exactly `content` for `namespace`, or null. */
export function signerOf(content, armored, namespace) {
  try {
    const fields = new Fields(dearmored(armored));
    if (text(fields.take(6)) !== "SSHSIG" || fields.number() !== 1) return null;
    const key = fields.string();
    const used = fields.string();
    const reserved = fields.string();
    const hash = HASHES[text(fields.string())];
    const signature = new Fields(fields.string());
    fields.end();
    const kind = signature.string();
    const value = signature.string();
    signature.end();
    const inside = new Fields(key);
    const keyKind = inside.string();
    const point = inside.string();
    inside.end();
    if (text(used) !== namespace || reserved.length || !hash) return null;
    if (text(keyKind) !== "ssh-ed25519" || text(kind) !== "ssh-ed25519") return null;
    const name = hash === sha512 ? "sha512" : "sha256";
    const signed = joined([
      bytes("SSHSIG"), framed(used), framed(bytes("")), framed(bytes(name)), framed(hash(content)),
    ]);
    if (!ed25519.verify(value, signed, point, { zip215: false })) return null;
    return "SHA256:" + btoa(String.fromCharCode(...sha256(key))).replace(/=+$/, "");
  } catch {
    return null;
  }
}

class Fields {
  constructor(data) { this.data = data; }
  take(size) {
    if (size > this.data.length) throw new RangeError("short");
    const found = this.data.subarray(0, size);
    this.data = this.data.subarray(size);
    return found;
  }
  number() { return new DataView(this.take(4).slice().buffer).getUint32(0); }
  string() { return this.take(this.number()); }
  end() { if (this.data.length) throw new RangeError("surplus"); }
}

function dearmored(armored) {
  const match = /^-----BEGIN SSH SIGNATURE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END SSH SIGNATURE-----\r?\n?$/.exec(armored);
  return Uint8Array.from(atob(match[1].replace(/[\r\n]/g, "")), (symbol) => symbol.charCodeAt(0));
}

const bytes = (value) => new TextEncoder().encode(value);
const text = (value) => new TextDecoder().decode(value);

function framed(value) {
  const size = new Uint8Array(4);
  new DataView(size.buffer).setUint32(0, value.length);
  return joined([size, value]);
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
}
