// The bundle's container: a directory, or a zip of exactly one form (record-format.md §9).

const FILE_NAME = /^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/;
const MAX_FILES = 1_000_000;
const ZIP_DATE = 33; // 1980-01-01
const ZIP_VERSIONS = [10, 20];
const ZIP_MODES = [0o644, 0o100644];
const MAX_CENTRAL = 46 + 255;

/* Bytes of a File or a part of one; a browser reads no file that was changed since it was chosen. */
async function bytesOf(blob, code, detail) {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch {
    throw new Refusal(code, detail);
  }
}

function checkName(name, code) {
  if (name.length > 255 || !FILE_NAME.test(name) || name.split("/").some((part) => part === "." || part === "..")) {
    throw new Refusal(code, "a file name that bundles do not have");
  }
}

/* Named byte strings; `read` refuses with FILE_MISSING, FILE_SIZE or ZIP_FORM. */
class Bundle {
  constructor(files, { isFolder = false } = {}) {
    this.files = files; // name -> {size, bytes(): Promise<Uint8Array>}
    this.names = [...files.keys()].sort();
    this.isFolder = isFolder;
  }

  async read(name, maxBytes) {
    const file = this.files.get(name);
    if (file === undefined) throw new Refusal("FILE_MISSING", "a file that the bundle must have is missing");
    if (file.size > maxBytes) throw new Refusal("FILE_SIZE", `expected at most ${maxBytes} bytes, got ${file.size}`);
    return file.bytes();
  }
}

/* `entries`: pairs of a path below the chosen folder and its File. */
function openDirectory(entries) {
  if (entries.length > MAX_FILES) throw new Refusal("BUNDLE_FORM", `a bundle has at most ${MAX_FILES} files`);
  const files = new Map();
  for (const [name, file] of entries) {
    checkName(name, "BUNDLE_FORM");
    const unread = "it can't be read; if it was changed just now, choose the folder again";
    files.set(name, { size: file.size, bytes: () => bytesOf(file, "FILE_MISSING", unread) });
  }
  if (files.has("ledger.toml") && !files.has("checkpoint")) {
    throw new Refusal("BUNDLE", "a ledger's directory: `trial-ledger export` makes bundles");
  }
  return new Bundle(files, { isFolder: true });
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

async function openZip(file) {
  const unread = "the zip can't be read; if it was changed just now, choose it again";
  const slice = (from, to) => bytesOf(file.slice(from, to), "BUNDLE", unread);
  if (file.size < 22) throw new Refusal("BUNDLE", "expected a directory or a zip file");
  const end = new DataView((await slice(file.size - 22, file.size)).buffer);
  if (end.getUint32(0, true) !== 0x06054b50) {
    throw new Refusal("BUNDLE", "expected a directory or a zip file that ends in its end record");
  }
  const count = end.getUint16(10, true);
  const [length, offset] = [end.getUint32(12, true), end.getUint32(16, true)];
  if (end.getUint32(4, true) !== 0 || end.getUint16(8, true) !== count || end.getUint16(20, true) !== 0) {
    throw new Refusal("ZIP_FORM", "expected one end record of one disk, without a comment");
  }
  if (offset + length + 22 !== file.size || count === 0xffff) {
    throw new Refusal("ZIP_FORM", "expected the central directory right before the end record");
  }
  if (length > count * MAX_CENTRAL) throw new Refusal("ZIP_FORM", "bytes that belong to no entry");
  const directory = await slice(offset, offset + length);
  const files = new Map();
  let [at, position, previous] = [0, 0, ""];
  for (let n = 0; n < count; n += 1) {
    const entry = centralEntry(directory, at, position);
    if (entry.name <= previous) throw new Refusal("ZIP_FORM", "expected names in byte order, each once", entry.name);
    const header = localHeader(entry);
    if (!same(await slice(position, position + header.length), header)) {
      throw new Refusal("ZIP_FORM", "a local header disagrees with the central directory", entry.name);
    }
    const start = position + header.length;
    files.set(entry.name, { size: entry.size, bytes: () => member(slice, start, entry) });
    [position, at, previous] = [start + entry.size, entry.next, entry.name];
  }
  if (at !== directory.length || position !== offset) throw new Refusal("ZIP_FORM", "bytes that belong to no entry");
  return new Bundle(files);
}

async function member(slice, start, entry) {
  const bytes = await slice(start, start + entry.size);
  if (bytes.length !== entry.size || crc32(bytes) !== entry.crc) {
    throw new Refusal("ZIP_FORM", "the checksum of a file is wrong", entry.name);
  }
  return bytes;
}

/* Check every structural byte of one central header (PKWARE APPNOTE 4.3.12). */
function centralEntry(directory, at, position) {
  if (at + 46 > directory.length) throw new Refusal("ZIP_FORM", "the central directory is cut");
  const view = new DataView(directory.buffer, directory.byteOffset + at, 46);
  const short = (place) => view.getUint16(place, true);
  const long = (place) => view.getUint32(place, true);
  const [version, nameLength, crc, size] = [short(6), short(28), long(16), long(24)];
  const raw = directory.subarray(at + 46, at + 46 + nameLength);
  const name = String.fromCharCode(...raw);
  checkName(name, "ZIP_FORM");
  const isPlain = long(0) === 0x02014b50 && ZIP_VERSIONS.includes(version) && short(4) === ((3 << 8) | version);
  if (!isPlain) throw new Refusal("ZIP_FORM", "expected a plain entry made for Unix", name);
  // flags, method, extra, comment, disk, internal attributes
  if ([8, 10, 30, 32, 34, 36].some((place) => short(place) !== 0) || long(20) !== size) {
    throw new Refusal("ZIP_FORM", "expected a stored entry without flags, extra or comment", name);
  }
  const mode = long(38) / 65536;
  if (short(12) !== 0 || short(14) !== ZIP_DATE || !ZIP_MODES.includes(mode)) {
    throw new Refusal("ZIP_FORM", "expected time 1980-01-01 and mode 0644", name);
  }
  if (long(42) !== position) throw new Refusal("ZIP_FORM", "an entry does not lie where the one before it ends", name);
  return { name, raw, crc, size, version, next: at + 46 + nameLength };
}

function localHeader({ raw, crc, size, version }) {
  const view = new DataView(new ArrayBuffer(30));
  view.setUint32(0, 0x04034b50, true);
  view.setUint16(4, version, true);
  view.setUint16(12, ZIP_DATE, true);
  view.setUint32(14, crc, true);
  view.setUint32(18, size, true);
  view.setUint32(22, size, true);
  view.setUint16(26, raw.length, true);
  return concat(new Uint8Array(view.buffer), raw);
}
