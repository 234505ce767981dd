// Bundles the scripts and puts everything into one page. Run by tools/build-decrypter after `npm ci`.

import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync, existsSync } from "node:fs";

const bundled = await build({
  entryPoints: ["page.js"],
  bundle: true,
  minify: true,
  charset: "ascii",
  format: "iife",
  target: "es2022",
  legalComments: "none", // the full texts stand in the page
  metafile: true,
  write: false,
});
const script = bundled.outputFiles[0].text.trim().replaceAll("</script", "<\\/script");
const style = readFileSync("page.css", "utf8").trim();

const used = new Set(
  Object.keys(bundled.metafile.inputs)
    .map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
    .filter(Boolean),
);
const licenses = [...used].sort().map((name) => {
  const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  const file = ["LICENSE", "LICENSE.md"].map((each) => `node_modules/${name}/${each}`).find(existsSync);
  if (!file) throw new Error(`${name} has no license text`);
  return `${name} ${version}\n\n${readFileSync(file, "utf8").trim()}`;
});

const digest = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
const policy = [
  "default-src 'none'",
  "connect-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  `script-src ${digest(script)}`,
  `style-src ${digest(style)}`,
].join("; ");
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const parts = { CSP: policy, STYLE: style, SCRIPT: script, LICENSES: escaped(licenses.join("\n\n----\n\n")) };
const page = readFileSync("page.html", "utf8").replace(/\{\{([A-Z]+)\}\}/g, (_, name) => parts[name]);
writeFileSync("open.html", page);
