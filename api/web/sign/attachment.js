// A file that a record attaches: the service keeps its bytes under their hash before the record names them.

import { hex, sha256 } from "./encoding.js";

const MEMBERS = "media_type,sha256,size";
const SEALED = '"block_sizes"'; // of a definition as its owner keeps it: never to be published before the list is opened

export const isAttachment = (schema) => Object.keys(schema.properties ?? {}).sort().join() === MEMBERS;

function fault(bytes, schema, definition) {
  const most = schema.properties.size.maximum;
  if (bytes.length > most) return `expected a file of at most ${most} bytes`;
  if (definition && new TextDecoder().decode(bytes).includes(SEALED)) return "expected what `definition publish` writes: this file names the sealed block sizes";
  return "";
}

// `place.files` gets what was chosen: {ready, bytes, name}, the last by the time that `ready` is settled.
export function attachment(label, schema, { name: member, required, place }, { labelled, wrong }) {
  const control = Object.assign(document.createElement("input"), { type: "file" });
  const held = { ready: null, bytes: null, name: null };
  let bad = "";
  control.addEventListener("change", () => {
    const file = control.files[0];
    [held.bytes, held.name, bad] = [null, null, ""];
    held.ready = file ? take(file) : null;
  });
  async function take(file) {
    let bytes;
    try {
      bytes = new Uint8Array(await file.arrayBuffer());
    } catch {
      if (control.files[0] === file) bad = "this file can't be read";
      return;
    }
    const name = { media_type: file.type || "application/octet-stream", sha256: hex(await sha256(bytes)), size: bytes.length };
    if (control.files[0] !== file) return; // another was chosen meanwhile
    bad = fault(bytes, schema, member === "definition");
    [held.bytes, held.name] = [bytes, name];
  }
  place.files.push(held);
  return {
    node: labelled(label, control, "kept beside the record, for everybody who may read it"),
    control,
    filled: () => control.files.length > 0,
    read() {
      if (!control.files.length && required) throw wrong(place.path(label), "choose a file", control);
      if (bad) throw wrong(place.path(label), bad, control);
      return held.name ?? undefined;
    },
  };
}
