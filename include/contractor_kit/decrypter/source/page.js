// What is on the page and when. All that is decided lies in the modules beside this one.

import { chosen, count, decrypted, Fault } from "./opening.js";
import { canonical, groupsOf } from "./passphrase.js";

const SAVED_AT_ONCE = 128 * 1024 * 1024; // what is larger is written straight to disk where the browser can

const at = (id) => document.getElementById(id);
let opened = null;
let busy = false;
let address = null;

async function choose(files) {
  opened = null;
  forgetResult();
  at("same").checked = false;
  at("files-say").textContent = "";
  at("package").hidden = true;
  try {
    opened = await chosen(files);
    describe(opened);
  } catch (error) {
    at("files-say").textContent = `${error.message} → ${error.todo ?? "もう一度選んでください。"}`;
  }
  refresh();
}

function describe({ manifest, fingerprint, blob }) {
  const synthetic = manifest.marking !== "本番";
  at("marking").className = `marking ${synthetic ? "synthetic" : "real"}`;
  at("marking").replaceChildren(
    manifest.marking,
    Object.assign(document.createElement("small"), {
      textContent: synthetic ? "試験・訓練用です。本番の印刷には使わないでください。" : "実在の方のデータです。",
    }),
  );
  const quantities = manifest.quantities;
  const rows = {
    notice: manifest.notice_ja,
    cycle: manifest.cycle,
    "package-id": manifest.package,
    ward: manifest.ward,
    quantities: `通知書 ${count(quantities.notices)}件　封筒 ${count(quantities.envelopes)}通　用紙 ${count(quantities.sheets)}枚`,
    encrypted: `${manifest.encrypted_file.name}（${count(blob.size)}バイト）`,
    opened: `${manifest.print_file.name}（${count(manifest.print_file.size_bytes)}バイト）`,
    fingerprint,
  };
  for (const [id, value] of Object.entries(rows)) at(id).textContent = value;
  at("package").hidden = false;
}

function refresh() {
  const mayType = opened !== null && at("same").checked && !busy;
  const groups = groupsOf(at("secret").value);
  at("secret").disabled = !mayType;
  at("step-secret").classList.toggle("waiting", !mayType);
  at("groups").replaceChildren(...groups.map(({ state }, number) => {
    const item = document.createElement("li");
    item.className = state;
    item.textContent = `第${number + 1}組 ${{ right: "✓", wrong: "誤りがあります", short: "…", empty: "—" }[state]}`;
    return item;
  }));
  const wrong = groups.findIndex(({ state }) => state === "wrong");
  at("secret-say").textContent = wrong < 0 ? "" : `第${wrong + 1}組に誤りがあります。 → パスワード通知書を見て、入れ直してください。`;
  const ready = mayType && canonical(at("secret").value) !== null;
  at("open").disabled = !ready;
  at("step-open").classList.toggle("waiting", !ready && !busy && at("done").hidden && at("failed").hidden);
}

async function open() {
  const secret = canonical(at("secret").value);
  const { manifest } = opened;
  forgetResult();
  let place = null;
  try {
    place = await askPlace(manifest.print_file);
  } catch {
    return; // the person closed the window that asks where to
  }
  busy = true;
  at("working").hidden = false;
  at("open").hidden = true;
  at("working-say").textContent = "パスワードを確かめています（数秒かかります）…";
  at("progress").removeAttribute("value");
  refresh();
  await new Promise((shown) => setTimeout(shown, 50)); // the next line keeps the page busy for a second or two
  const parts = [];
  const writer = place && (await place.createWritable());
  try {
    const digest = await decrypted(
      opened,
      secret,
      async (part) => (writer ? writer.write(part) : parts.push(part)),
      (share) => {
        at("working-say").textContent = "開いています…";
        at("progress").value = share;
      },
    );
    await writer?.close();
    succeed(manifest, digest, writer ? null : new Blob(parts, { type: "application/octet-stream" }));
  } catch (error) {
    await discard(writer, place);
    fail(error instanceof Fault ? error : new Fault("開けませんでした。", "空き容量を確かめて、もう一度開いてください。"));
  }
  busy = false;
  at("working").hidden = true;
  at("open").hidden = !at("done").hidden;
  refresh();
}

/** Where a large file goes, asked before work begins because the browser wants a click for it. Null: kept in parts. */
async function askPlace({ name, size_bytes: size }) {
  if (size <= SAVED_AT_ONCE || typeof window.showSaveFilePicker !== "function") return null;
  return window.showSaveFilePicker({ suggestedName: name });
}

async function discard(writer, place) {
  try {
    await writer?.abort();
    await place?.remove?.();
  } catch { /* nothing was released */ }
}

function succeed(manifest, digest, blob) {
  at("secret").value = "";
  at("done-name").textContent = manifest.print_file.name;
  at("done-size").textContent = `${count(manifest.print_file.size_bytes)}バイト`;
  at("done-digest").textContent = digest;
  at("save").hidden = blob === null;
  if (blob) {
    address = URL.createObjectURL(blob);
    Object.assign(at("save"), { href: address, download: manifest.print_file.name });
  }
  at("done-todo").textContent = blob
    ? "保存先は、この業務のために決めたフォルダにしてください。保存したら、このページを閉じてください。"
    : "選んだ場所に保存しました。このページを閉じてください。";
  at("done").hidden = false;
}

function fail(fault) {
  at("failed-what").textContent = fault.message;
  at("failed-todo").textContent = fault.todo;
  at("failed").hidden = false;
}

function forgetResult() {
  at("done").hidden = true;
  at("failed").hidden = true;
  at("open").hidden = false;
  if (address) URL.revokeObjectURL(address);
  address = null;
  at("save").removeAttribute("href");
}

at("files").addEventListener("change", (event) => {
  const files = [...event.target.files];
  event.target.value = ""; // the same names chosen again, after they were copied anew, are a change too
  choose(files);
});
for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  at("drop").addEventListener(name, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", over);
    if (name === "drop" && !busy) choose(event.dataTransfer.files);
  });
}
at("same").addEventListener("change", () => { refresh(); at("secret").focus(); });
at("secret").addEventListener("input", refresh);
at("secret").addEventListener("keydown", (event) => { if (event.key === "Enter" && !at("open").disabled) open(); });
at("open").addEventListener("click", open);
refresh();
