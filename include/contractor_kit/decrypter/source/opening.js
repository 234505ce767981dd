// Checking what was chosen, and decrypting it in constant memory. A file is given out only after every chunk was
// authenticated and its digest is the one the ward signed. Says what went wrong as the ward's own programs do.

import { Decrypter } from "age-encryption";
import { sha256 } from "@noble/hashes/sha2.js";
import { signerOf } from "./signature.js";

const MANIFEST = "manifest.json";
const SIGNATURE = "manifest.json.sig";
const NAMESPACE = "notice-cycle-manifest";
const GATHERED = 8 * 1024 * 1024;

/** A fault a person can do something about. */
export class Fault extends Error {
  constructor(what, todo) { super(what); this.todo = todo; }
}

const CALL = "印刷せずに、区に電話してください。";
const AGAIN = "ファイルを選び直してください。ディスクから直接読んでいるときは、いちどパソコンに写してから選んでください。";

/** What was chosen, checked without the passphrase: {manifest, fingerprint, blob}. Raises Fault. */
export async function chosen(files) {
  const named = new Map([...files].map((file) => [file.name, file]));
  for (const name of [MANIFEST, SIGNATURE]) {
    if (!named.has(name)) throw new Fault(`${name} が選ばれていません。`, "package フォルダの中のファイルを、全部まとめて選んでください。");
  }
  const content = new Uint8Array(await named.get(MANIFEST).arrayBuffer());
  const manifest = parsed(content);
  const fingerprint = signerOf(content, await named.get(SIGNATURE).text(), NAMESPACE);
  if (!fingerprint) throw new Fault("送付目録（manifest.json）が、署名と一致しません。", "開かずに、区に電話してください。");
  if (manifest.encryption !== "age-v1-scrypt") {
    throw new Fault("このパッケージは ZIP（AES-256）です。このページでは開けません。", "7-Zip で開いてください。");
  }
  return { manifest, fingerprint, blob: encryptedFile(named, manifest.encrypted_file) };
}

function parsed(content) {
  try {
    const manifest = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
    if (manifest.format === "notice-cycle-manifest/1") return manifest;
  } catch { /* said below */ }
  throw new Fault("manifest.json が送付目録の形式ではありません。", AGAIN);
}

function encryptedFile(named, promised) {
  let parts = named.has(promised.name) ? [named.get(promised.name)] : [];
  if (!parts.length) {
    for (let number = 1; ; number++) {
      const part = named.get(`${promised.name}.${String(number).padStart(3, "0")}`);
      if (!part) break;
      parts.push(part);
    }
  }
  if (!parts.length) throw new Fault(`${promised.name} が選ばれていません。`, "package フォルダの中のファイルを、全部まとめて選んでください。");
  const blob = parts.length === 1 ? parts[0] : new Blob(parts);
  if (blob.size < promised.size_bytes) {
    throw new Fault(
      `${promised.name} が途中で切れています（${count(blob.size)}バイト。正しくは ${count(promised.size_bytes)}バイト）。`,
      "受信や写しが終わっているか、分かれたファイルを全部選んだかを確かめてください。続くときは、区に電話してください。",
    );
  }
  if (blob.size > promised.size_bytes) throw new Fault(`${promised.name} が、送付目録のファイルより大きくなっています。`, CALL);
  return blob;
}

/**
 * Decrypts `blob` and hands each stretch of authenticated plaintext to `take`. Gives the digest.
 * Raises Fault; what `take` was given before a fault must not be used.
 */
export async function decrypted({ blob, manifest }, passphrase, take, onProgress) {
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  const digest = sha256.create();
  let size = 0;
  try {
    const reader = (await decrypter.decrypt(blob.stream())).getReader();
    for (let gathered = [], held = 0; ;) {
      const { done, value } = await reader.read();
      if (!done) {
        digest.update(value);
        gathered.push(value);
        held += value.length;
        size += value.length;
      }
      if (held >= GATHERED || (done && held)) {
        await take(new Blob(gathered));
        gathered = [];
        held = 0;
        onProgress(size / manifest.print_file.size_bytes);
        await new Promise((shown) => setTimeout(shown));
      }
      if (done) break;
    }
  } catch (error) {
    throw worded(error);
  }
  const found = hex(digest.digest());
  if (size !== manifest.print_file.size_bytes || found !== manifest.print_file.sha256) {
    throw new Fault("開いた印字データが、区の署名した送付目録と一致しません。", CALL);
  }
  return found;
}

function worded(error) {
  const said = String(error?.message ?? error);
  if (said.includes("no identity matched")) {
    return new Fault("パスワードが違います。", "パスワード通知書の発送回が、上に表示された発送回と同じことを確かめて、入れ直してください。");
  }
  if (said.includes("work factor")) return new Fault("暗号化ファイルの計算量が大きすぎます。", CALL);
  if (error?.name === "NotReadableError" || error?.name === "NotFoundError") {
    return new Fault("ファイルを読めなくなりました。", AGAIN);
  }
  if (error?.name === "QuotaExceededError") {
    return new Fault("ディスクの空き容量が足りません。", "空き容量を作ってから、もう一度開いてください。");
  }
  return new Fault("暗号化ファイルが壊れているか、書き換えられています。", "このファイルは使わず、区に電話して、もう一度受け取ってください。");
}

export const count = (value) => value.toLocaleString("ja-JP");
const hex = (value) => [...value].map((byte) => byte.toString(16).padStart(2, "0")).join("");
