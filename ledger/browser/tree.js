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

  /* An inclusion proof of a leaf in the whole tree, and the root that the leaf's own bytes lead to by it. */
  async inclusion(index, leaf) {
    const path = await this.#path(index, 0, this.size);
    let value = await leafHash(leaf);
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

  /* The proof that the first `size` leaves are of this tree (RFC 6962 §2.1.2): there is only one. */
  consistency(size) {
    return this.#since(size, 0, this.size, true);
  }

  async #since(size, start, stop, isWhole) {
    if (size === stop - start) return isWhole ? [] : [await this.#rangeRoot(start, stop)];
    const width = 2 ** Math.ceil(Math.log2(stop - start) - 1);
    return size <= width
      ? [...(await this.#since(size, start, start + width, isWhole)), await this.#rangeRoot(start + width, stop)]
      : [...(await this.#since(size - width, start + width, stop, false)), await this.#rangeRoot(start, start + width)];
  }

  async #rangeRoot(start, stop) {
    const level = Math.log2(stop - start);
    if (Number.isInteger(level) && start % (stop - start) === 0) return this.levels[level][start / (stop - start)];
    const middle = start + 2 ** Math.ceil(level - 1);
    return nodeHash(await this.#rangeRoot(start, middle), await this.#rangeRoot(middle, stop));
  }
}

/* Read every entry bundle, hash the leaves, compare each tile; return the tree, the leaves' bytes, whether they fit.

   Where the leaves do not lead to the root and the tiles do, the tree is that of the tiles: one altered byte is then
   reported where it is, and not again in every later statement. */
async function readTree(bundle, note, report, progress) {
  const { size, root } = note;
  const leaves = [];
  const [hashes, tiles] = [[], []];
  for (let start = 0; start < size; start += WIDTH) {
    const width = Math.min(WIDTH, size - start);
    const tile = await readTile(bundle, [0, start / WIDTH, width], report);
    const part = await readEntries(bundle, start, width, report);
    leaves.push(...(part ?? Array(width).fill(null)));
    const unread = tile ?? Array(width).fill(new Uint8Array(32));
    const own = part === null ? unread : await Promise.all(part.map(leafHash));
    hashes.push(...own);
    tiles.push(...(tile ?? own));
    compareTile([0, start / WIDTH, width], own, tile, report);
    await progress("Hashing leaves", start + width, size);
  }
  const tree = new Tree(hashes);
  await tree.build();
  for (const [level, n, width] of tilesFor(size)) {
    if (level === 0) continue;
    const row = tree.levels[8 * level].slice(n * WIDTH, n * WIDTH + width);
    compareTile([level, n, width], row, await readTile(bundle, [level, n, width], report), report);
  }
  if (same(await tree.rootAt(size), root)) return { tree, leaves };
  report(new Refusal("ROOT", "the leaves do not hash to the signed root"), { file: "checkpoint" });
  const other = new Tree(tiles);
  await other.build();
  return { tree: same(await other.rootAt(size), root) ? other : tree, leaves };
}

async function readEntries(bundle, start, width, report) {
  const path = entriesPath(start / WIDTH, width);
  try {
    return splitEntries(await bundle.read(path, WIDTH * (MAX_LEAF + 2)), width);
  } catch (error) {
    report(refusal(error), { index: start, file: path });
    return null;
  }
}

async function readTile(bundle, [level, n, width], report) {
  const path = tilePath(level, n, width);
  const where = { index: n * WIDTH ** (level + 1), file: path };
  try {
    const data = await bundle.read(path, WIDTH * 32);
    if (data.length !== width * 32) throw new Refusal("TILE", "expected 32 bytes for each hash");
    return Array.from({ length: width }, (_, at) => data.subarray(32 * at, 32 * at + 32));
  } catch (error) {
    report(refusal(error), where);
    return null;
  }
}

function compareTile([level, n, width], hashes, tile, report) {
  const first = tile === null ? -1 : tile.findIndex((hash, at) => !same(hash, hashes[at]));
  if (first < 0) return;
  const where = { index: (n * WIDTH + first) * WIDTH ** level, file: tilePath(level, n, width) };
  report(new Refusal("TILE", "a hash differs from that of the leaves"), where);
}
