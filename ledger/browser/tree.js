// The tree: leaves hash to the signed root, every tile agrees, and the root at every earlier size (RFC 6962 §2.1).

const WIDTH = 256;
const MAX_LEAF = 65535;

function numbered(n, width) {
  let path = String(n % 1000).padStart(3, "0");
  for (let rest = Math.floor(n / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${String(rest % 1000).padStart(3, "0")}/${path}`;
  }
  return width === WIDTH ? path : `${path}.p/${width}`;
}

const tilePath = (level, n, width) => `tile/${level}/${numbered(n, width)}`;
const entriesPath = (n, width) => `tile/entries/${numbered(n, width)}`;
const payloadsPath = (n, width) => `payloads/${numbered(n, width)}`;

/* Every tile of a tree of this size: [level, n, width]. */
function tilesFor(size) {
  const tiles = [];
  for (let level = 0, left = size; left > 0; level += 1, left = Math.floor(left / WIDTH)) {
    for (let n = 0; n < Math.floor(left / WIDTH); n += 1) tiles.push([level, n, WIDTH]);
    if (left % WIDTH > 0) tiles.push([level, Math.floor(left / WIDTH), left % WIDTH]);
  }
  return tiles;
}

function splitEntries(data, count) {
  const leaves = [];
  let at = 0;
  for (let n = 0; n < count; n += 1) {
    const length = at + 2 <= data.length ? data[at] * 256 + data[at + 1] : Infinity;
    if (at + 2 + length > data.length) throw new Refusal("ENTRY_BUNDLE", `expected ${count} leaves`);
    leaves.push(data.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  if (at !== data.length) throw new Refusal("ENTRY_BUNDLE", "bytes after the last leaf");
  return leaves;
}

const leafHash = (leaf) => sha256(Uint8Array.of(0), leaf);

class Tree {
  /* `levels[k][i]`: hash over the leaves i·2^k … (i+1)·2^k - 1, where all of them are there. */
  constructor(leafHashes) {
    this.size = leafHashes.length;
    this.levels = [leafHashes];
    this.roots = new Map();
  }

  async build() {
    for (let level = 0; this.levels[level].length > 1; level += 1) {
      const below = this.levels[level];
      const row = [];
      for (let start = 0; start + 1 < below.length; start += 2 * WIDTH) {
        const part = [];
        for (let at = start; at + 1 < Math.min(below.length, start + 2 * WIDTH); at += 2) {
          part.push(nodeHash(below[at], below[at + 1]));
        }
        row.push(...(await Promise.all(part)));
      }
      this.levels.push(row);
    }
  }

  /* The root of the first `size` leaves. */
  rootAt(size) {
    if (!this.roots.has(size)) this.roots.set(size, this.#rootAt(size));
    return this.roots.get(size);
  }

  async #rootAt(size) {
    if (size === 0) return sha256(new Uint8Array(0));
    let root = null;
    for (let level = 0, left = size; left > 0; level += 1, left = Math.floor(left / 2)) {
      if (left % 2 === 0) continue;
      const part = this.levels[level][left - 1];
      root = root === null ? part : await nodeHash(part, root);
    }
    return root;
  }

  /* An inclusion proof of a leaf in the whole tree, and whether it leads to the root: recomputed, not read. */
  async inclusion(index) {
    const path = await this.#path(index, 0, this.size);
    let value = this.levels[0][index];
    for (const { hash, left } of path) value = left ? await nodeHash(hash, value) : await nodeHash(value, hash);
    return { path: path.map((each) => each.hash), root: value };
  }

  async #path(index, start, stop) {
    if (stop - start < 2) return [];
    const middle = start + 2 ** Math.ceil(Math.log2(stop - start) - 1);
    return index < middle
      ? [...(await this.#path(index, start, middle)), { hash: await this.#rangeRoot(middle, stop), left: false }]
      : [...(await this.#path(index, middle, stop)), { hash: await this.#rangeRoot(start, middle), left: true }];
  }

  async #rangeRoot(start, stop) {
    const level = Math.log2(stop - start);
    if (Number.isInteger(level) && start % (stop - start) === 0) return this.levels[level][start / (stop - start)];
    const middle = start + 2 ** Math.ceil(level - 1);
    return nodeHash(await this.#rangeRoot(start, middle), await this.#rangeRoot(middle, stop));
  }
}

/* Read every entry bundle, hash the leaves, compare each tile; return the tree and the leaves' bytes. */
async function readTree(bundle, size, report, progress) {
  const leaves = [];
  const hashes = [];
  for (let start = 0; start < size; start += WIDTH) {
    const width = Math.min(WIDTH, size - start);
    const path = entriesPath(start / WIDTH, width);
    let part = null;
    try {
      part = splitEntries(await bundle.read(path, WIDTH * (MAX_LEAF + 2)), width);
    } catch (error) {
      report(refusal(error), { index: start, file: path });
    }
    leaves.push(...(part ?? Array(width).fill(null)));
    hashes.push(...(part === null ? Array(width).fill(new Uint8Array(32)) : await Promise.all(part.map(leafHash))));
    await progress("Hashing leaves", start + width, size);
  }
  const tree = new Tree(hashes);
  await tree.build();
  for (const [level, n, width] of tilesFor(size)) await compareTile(bundle, tree, [level, n, width], report);
  return { tree, leaves };
}

async function compareTile(bundle, tree, [level, n, width], report) {
  const path = tilePath(level, n, width);
  const start = n * WIDTH ** (level + 1);
  let data;
  try {
    data = await bundle.read(path, WIDTH * 32);
  } catch (error) {
    report(refusal(error), { index: start, file: path });
    return;
  }
  if (data.length !== width * 32) {
    report(new Refusal("TILE", "expected 32 bytes for each hash"), { index: start, file: path });
    return;
  }
  const row = tree.levels[8 * level];
  for (let at = 0; at < width; at += 1) {
    if (same(data.subarray(32 * at, 32 * at + 32), row[n * WIDTH + at])) continue;
    const index = (n * WIDTH + at) * WIDTH ** level;
    report(new Refusal("TILE", "a hash differs from that of the leaves"), { index, file: path });
    return;
  }
}
